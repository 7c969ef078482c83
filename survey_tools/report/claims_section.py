"""The section of a finished run of the claims, taken over only where it is of the same claims."""

from dataclasses import dataclass
from pathlib import Path

from survey_tools.claims.file import find_claims
from survey_tools.errors import DataError
from survey_tools.output import MANIFEST, digest_of_file
from survey_tools.report.finished_run import SECTION, open_finished_run

__all__ = ["ClaimsSection", "read_claims_section"]

_ADVICE = "run survey-tools claims again, or leave --claims out"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsSection:
    """The section of a run of the claims.

    Attributes
    ----------
    html : str
        ``<section id="claims">``, as the run wrote it.
    manifest_digest : str
        sha256 of the manifest of the run.
    """

    html: str
    manifest_digest: str


def read_claims_section(folder: Path, survey: Path) -> ClaimsSection:
    """Read the section of a run of a survey's claims.

    Parameters
    ----------
    folder : Path
        Output folder of ``survey-tools claims``.
    survey : Path
        Survey folder whose files must be those that the run has read.

    Raises
    ------
    DataError
        If the folder is no finished run of the claims, its section was changed, or claims,
        papers or settings have changed since.
    """
    run = open_finished_run(folder, "claims", advice=_ADVICE)
    path = find_claims(survey)
    inputs = {path.name: None, **run.manifest["inputs"]}  # papers, too, where claims are about them
    for name, digest in inputs.items():
        file = path.parent / name
        if not file.is_file() or digest_of_file(file) != digest:
            raise DataError(f"{folder}: {file} has changed since that run; {_ADVICE}")
    if run.manifest["outputs"].get(SECTION) is None:
        raise DataError(f"{folder / MANIFEST}: names no {SECTION}; {_ADVICE}")
    return ClaimsSection(html=run.read_output(SECTION), manifest_digest=run.manifest_digest)
