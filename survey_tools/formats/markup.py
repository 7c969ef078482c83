"""Inline Markdown as lists of papers use it: text with links, emphasis and HTML -> plain pieces.

Only what such lists need is understood; every step is linear in the length of the text.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LINK", "Inline", "Link", "find_definitions", "parse_inline", "strip_emphasis"]

LINK = "\ufffc"
"""Stands in the text of an `Inline` where a link stood."""

_IMAGE = "\ufdd0"  # begins an image's alternative text; a sign that no text may hold
_LABEL_END = re.compile(
    r"\(\s*(?:<(?P<angled>[^<>\n]{0,2000})>"
    r"|(?P<plain>(?:[^\s()<>]|\((?:[^\s()]|\([^\s()]{0,200}\)){0,300}\)){0,2000}))"
    r"(?:\s+(?:\"[^\"]{0,300}\"|'[^']{0,300}'))?\s*\)"
)
_REFERENCE = re.compile(r"\[([^\[\]]{0,200})\]")
_DEFINITION = re.compile(
    r"^ {0,3}\[([^\[\]^\n]{1,200})\]:[ \t]*<?(\S{1,2000}?)>?(?:[ \t].*)?$", re.MULTILINE
)
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<rest>[^<>]{0,2000})>")
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_AUTOLINK = re.compile(r"<(https?://[^\s<>]{1,2000})>")
_BARE_URL = re.compile(r"https?://[^\s<>\[\]\"“”]{1,2000}")
_NEXT = re.compile(r"[\\`!\[\]<]|h(?=ttps?://)")
_N_LABEL_PIECES = 1000
_ESCAPABLE = frozenset("\\`*_{}[]()#+-.!|<>~&\"'$%,/:;=?@^")
_EMPHASIS = re.compile(
    r"(?P<stars>\*{1,3})(?=\S)(?P<starred>.{1,500}?)(?<=\S)(?P=stars)"
    r"|(?<!\w)(?P<lines>_{1,3})(?=\S)(?P<lined>.{1,500}?)(?<=\S)(?P=lines)(?!\w)",
    re.DOTALL,
)
_STRAY = re.compile(r"\*{2,}|~~")  # halves of pairs that were cut, and strikes


@dataclass(frozen=True, slots=True)
class Link:
    """A link: what it says (plain text; empty for a bare address) and where it leads.

    ``is_image`` tells a link whose label is the alternative text of an image, as of a badge.
    """

    label: str
    url: str
    is_image: bool = False


@dataclass(frozen=True, slots=True)
class Inline:
    """Text in which `LINK` stands for each link, in order; emphasis marks are left in."""

    text: str
    links: tuple[Link, ...]


def find_definitions(text: str) -> dict[str, str]:
    """Find reference definitions, ``[label]: https://…``, by label in lower case."""
    return {match[1].lower(): match[2] for match in _DEFINITION.finditer(text)}


def parse_inline(text: str, definitions: Mapping[str, str] | None = None) -> Inline:
    """Parse inline Markdown: images go, links become `Link`, other HTML tags go.

    An image inside a link gives the link its alternative text as label. ``<br>`` is a line
    break. Entities and backslash escapes are resolved.
    """
    scanner = _Scanner(text, definitions or {})
    scanner.run()
    return Inline("".join(scanner.out).replace(_IMAGE, ""), tuple(scanner.links))


def strip_emphasis(text: str) -> str:
    """Remove marks of emphasis, but no lone star and no underscore inside a word."""
    for _ in range(3):  # ***both*** and **bold *in* it**
        if "*" not in text and "_" not in text:
            break
        text = _EMPHASIS.sub(lambda match: match["starred"] or match["lined"], text)
    return _STRAY.sub("", text)


class _Scanner:
    def __init__(self, text: str, definitions: Mapping[str, str]) -> None:
        self.text = text
        self.definitions = definitions
        self.out: list[str] = []
        self.links: list[Link] = []
        self.brackets: list[tuple[int, bool]] = []  # place in out, whether of an image
        self.anchor: tuple[int, str] | None = None  # place in out, address of an open <a>
        self.last_link = -1  # place in out; no link stands in the label of another

    def run(self) -> None:
        position = 0
        while match := _NEXT.search(self.text, position):
            start = match.start()
            self._write(self.text[position:start])
            position = self._step(start)
        self._write(self.text[position:])

    def _write(self, text: str) -> None:
        if text:
            self.out.append(html.unescape(text) if "&" in text else text)

    def _step(self, at: int) -> int:
        """Handle the sign at a place and return where to go on."""
        text, sign = self.text, self.text[at]
        following = text[at + 1 : at + 2]
        if sign == "\\" and following in _ESCAPABLE:
            self.out.append(following)
            return at + 1 + len(following)
        if sign == "!" and following == "[":
            self.brackets.append((len(self.out), True))
            self.out.append("")
            return at + 2
        if sign == "[":
            self.brackets.append((len(self.out), False))
        elif sign == "]" and self.brackets:
            end = self._close_bracket(at)
            if end is not None:
                return end
        elif sign == "<":
            end = self._read_tag(at)
            if end is not None:
                return end
        elif sign == "h" and (match := _BARE_URL.match(text, at)):
            url = match[0].rstrip(".,;:!?*_")
            while url.endswith(")") and url.count(")") > url.count("("):
                url = url[:-1]
            self._add_link("", url)
            return at + len(url)
        elif sign == "`":
            return self._read_code(at)
        self.out.append(sign)
        return at + 1

    def _close_bracket(self, at: int) -> int | None:
        start, is_image = self.brackets.pop()
        if self.last_link >= start or len(self.out) - start > _N_LABEL_PIECES:
            return None
        if match := _LABEL_END.match(self.text, at + 1):
            url = match["angled"] or match["plain"] or ""
        elif self.definitions and (match := _REFERENCE.match(self.text, at + 1)):
            label = match[1] or "".join(self.out[start + 1 :])
            url = self.definitions.get(label.lower(), "")
        else:
            return None
        label = "".join(self.out[start + (not is_image) :])
        if not url:
            return None
        del self.out[start:]
        if is_image:
            # the alternative text counts only as the label of a link around the image
            if self.brackets or self.anchor:
                self.out.append(_IMAGE + label)
        else:
            self._add_link(label, url)
        return match.end()

    def _add_link(self, label: str, url: str) -> None:
        is_image = label.strip().startswith(_IMAGE)
        label = strip_emphasis(label.replace(_IMAGE, ""))
        self.links.append(Link(" ".join(label.split()), html.unescape(url), is_image))
        self.last_link = len(self.out)
        self.out.append(LINK)

    def _read_tag(self, at: int) -> int | None:
        if match := _AUTOLINK.match(self.text, at):
            self._add_link("", match[1])
            return match.end()
        match = _TAG.match(self.text, at)
        if match is None:
            return None
        name = match["name"].lower()
        if name == "br":
            self.out.append("\n")
        elif name == "a" and not match["end"]:
            href = _HREF.search(match["rest"])
            url = next(filter(None, href.groups()), "") if href else ""
            self.anchor = (len(self.out), url) if url else None
        elif name == "a" and self.anchor:
            start, url = self.anchor
            self.anchor = None
            if self.last_link < start:
                label = "".join(self.out[start:])
                del self.out[start:]
                self._add_link(label, url)
        return match.end()

    def _read_code(self, at: int) -> int:
        """Take what stands between equal runs of backticks as it is."""
        end = at
        while self.text[end : end + 1] == "`":
            end += 1
        ticks = self.text[at:end]
        close = self.text.find(ticks, end, end + 1000)
        if close < 0:
            self.out.append(ticks)
            return end
        self.out.append(self.text[end:close])
        return close + len(ticks)
