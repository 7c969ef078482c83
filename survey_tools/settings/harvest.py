"""Where and how arXiv is asked."""

from typing import Annotated

from pydantic import Field

from survey_tools.settings.base import Settings

__all__ = [
    "HarvestSettings",
]


class HarvestSettings(Settings):
    """Where and how arXiv is asked; variables such as SURVEY_TOOLS_API_URL go before the file."""

    api_url: Annotated[str, Field(pattern=r"^https?://")] = "https://export.arxiv.org/api/query"
    """Address of the Atom API, or of a mirror or local server that behaves like it."""
    oai_url: Annotated[str, Field(pattern=r"^https?://")] = "https://oaipmh.arxiv.org/oai"
    """Address of the OAI-PMH service, or of a mirror or local server that behaves like it."""
    gap_s: Annotated[float, Field(ge=0)] = 3.0
    """Seconds between two requests; arXiv's terms ask for 3, so it may only be raised, except
    for a server on this machine."""
    contact: str | None = None
    """How arXiv can reach you, for example an address of mail; sent with every request."""
    page_size: Annotated[int, Field(ge=1, le=2000)] = 1000
    """Results a request to the Atom API."""
    patience_s: Annotated[float, Field(ge=0)] = 7200.0
    """Seconds that cool-downs and waits after faults may take in all before the run ends."""
    deadline_s: Annotated[float, Field(gt=0)] = 240.0
    """Seconds after which a request is given up; arXiv's own proxy needs up to 183."""
