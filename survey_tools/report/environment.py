"""The templates' environment: everything is escaped, numbers and links have one way to be shown."""

import math
import re
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from survey_tools.errors import count

__all__ = ["build_environment", "inline_svg"]


def build_environment() -> Environment:
    """Build the environment of the report's templates.

    Text that is not markup is escaped and loses control characters; a name that is not given is
    an error. Filters: ``number`` (dash for None and NaN), ``web_link``, ``leaf_anchor``; global:
    ``count``.
    """
    environment = Environment(
        loader=PackageLoader("survey_tools.report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "web_link": _web_link,
        "leaf_anchor": lambda key: quote(f"leaf-{key}"),
    }
    environment.globals["count"] = count
    return environment


def inline_svg(source: str) -> Markup:
    """Take over an SVG written by matplotlib, which escapes all text itself."""
    return Markup(source[source.index("<svg") :])  # noqa: S704


def _printable(value: object) -> object:
    """Replace control and direction-changing characters in plain text; markup stays."""
    if type(value) is not str:
        return value
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value)


def _number(value: float | None, decimals: int = 3) -> str:
    if value is None or math.isnan(value):
        return "–"
    return f"{value:z.{decimals}f}".replace("-", "−")


def _web_link(url: str | None) -> str | None:
    """Return a link that is safe to click, or None (no ``javascript:`` and the like)."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    is_safe = parts.scheme in ("http", "https") and bool(parts.netloc)
    return url if is_safe and not re.search(r"[\s\x00-\x1f]", url) else None
