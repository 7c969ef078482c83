r"""TeX as it stands in titles, names and abstracts: accents to letters, wrapped lines to text.

arXiv's OAI-PMH records and bulk snapshot hold what the submitter typed
(``Schr\"odinger``, hard line breaks); its Atom feed holds Unicode. One normaliser for all
sources makes the same paper the same text, so that a change of source is no update.
"""

import re
import unicodedata

__all__ = ["decode_tex", "normalise_text", "title_key"]

_COMBINING = {
    "`": "\u0300",
    "'": "\u0301",
    "^": "\u0302",
    "~": "\u0303",
    "=": "\u0304",
    "u": "\u0306",
    ".": "\u0307",
    '"': "\u0308",
    "r": "\u030a",
    "H": "\u030b",
    "v": "\u030c",
    "d": "\u0323",
    "c": "\u0327",
    "k": "\u0328",
    "b": "\u0331",
}
_LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ",
    "OE": "Œ", "aa": "å", "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ",
    "TH": "Þ", "dj": "đ", "DJ": "Đ", "ng": "ŋ", "NG": "Ŋ",
}  # fmt: skip


def _base(n: int) -> str:
    """Write the pattern of what stands under an accent: a letter, or one that TeX names."""
    named = rf"\\(?P<name{n}>ae|AE|aa|AA|oe|OE|[oOlLij])(?![A-Za-z])(?:\{{\}}|[ \n\t])?"
    return rf"(?:{named}|(?P<letter{n}>[^\W\d_]))"


# \'e  \' e  \'{e}  \v{c}  \v c  \'\i  \'{\i}  \ss  \o{}  \&; \letter accents need a blank or a
# brace. The pattern begins with the backslash, so that text without any is passed over quickly.
_COMMAND = re.compile(
    r"\\(?<!\\\\)(?:"
    r"(?P<accent>[`'^\"~=.]\s*|[uvHcdbkr](?=[\s{]|\\[A-Za-z])\s*)"
    r"(?:\{\s*" + _base(1) + r"\s*\}|" + _base(2) + r")"
    r"|(?P<letter>ss|[oO]|[lL]|ae|AE|oe|OE|aa|AA|[ij]|dh|DH|th|TH|dj|DJ|ng|NG)"
    r"(?![A-Za-z])(?:\{\}| (?=\S))?"
    r"|(?P<sign>[&%#_]))"
)
_N_LAYERS = 8  # of accents upon accents that are taken off
# Mathematics is left alone: there \= and \' are no accents. An unpaired $ opens nothing.
_MATH = re.compile(r"(\$(?<!\\\$)(?:\$.+?(?<!\\)\$\$|.+?(?<!\\)\$))", re.DOTALL)
# White space (\x09 to \x0d, \x1c to \x1f, \x85) parts words; all other controls are dropped.
_ILLEGAL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffe\uffff\ud800-\udfff]")
_SPACE = re.compile(r"\s")
_MACRO = re.compile(r"\\([A-Za-z]+)\s*")
_FONT_MACRO = re.compile(
    "bf|cal|em|emph|frak|it|math(?:bb|bf|cal|frak|it|rm|scr|sf|tt)|mbox|operatorname|rm|sc|sf"
    "|text(?:bf|it|rm|sc|sf|tt)?|tt"
)
_NO_LETTER = re.compile(r"[\W_]+")
# Nearly all text is ASCII alone. There the rules above are tables of bytes, three times as fast.
_ASCII = "".join(map(chr, range(128)))
_ILLEGAL_BYTES = "".join(_ILLEGAL.findall(_ASCII)).encode()
_SPACES_TO_BLANKS = _SPACE.sub(" ", _ASCII).encode().ljust(256)
_SIGNS_TO_KEY = re.sub(r"[\W_]", " ", _ASCII.lower()).encode().ljust(256)


def decode_tex(text: str) -> str:
    r"""Turn TeX accents and letters into Unicode: ``Schr\"{o}dinger`` -> ``Schrödinger``.

    Mathematics between dollar signs and all other macros stay as they are.
    """
    for _ in range(_N_LAYERS):  # \'\'e has two
        if "\\" not in text or (decoded := _decode_once(text)) == text:
            break
        text = decoded
    return text


def _decode_once(text: str) -> str:
    if not _COMMAND.search(text):  # so it is with most, whose macros are mathematics
        return text
    if "$" not in text:
        return _decode_accents(text)
    parts = _MATH.split(text)  # odd parts are mathematics
    parts[::2] = [_decode_accents(part) if "\\" in part else part for part in parts[::2]]
    return "".join(parts)


def _decode_accents(text: str) -> str:
    parts: list[str] = []
    begin = 0
    for match in _COMMAND.finditer(text):
        start, end = match.span()
        if begin < start and text[start - 1] == "{" and text[end : end + 1] == "}":
            start, end = start - 1, end + 1  # braces that hold nothing else
        parts += (text[begin:start], _decode_command(match))
        begin = end
    return "".join(parts) + text[begin:]


def _decode_command(match: re.Match[str]) -> str:
    if letter := match["letter"]:
        return _LETTERS[letter]
    if sign := match["sign"]:
        return sign
    letter = match["letter1"] or match["letter2"]
    if name := match["name1"] or match["name2"]:
        letter = name if name in ("i", "j") else _LETTERS[name]  # an accent replaces their dot
    return unicodedata.normalize("NFC", letter + _COMBINING[match["accent"].strip()])


def normalise_text(text: str) -> str:
    """Decode TeX, compose Unicode (NFC), drop control characters, and unwrap lines.

    Any run of white space becomes one blank; blanks at both ends go.
    """
    if "\\" in text:
        text = decode_tex(text)
    if text.isascii():
        plain = text.encode().translate(_SPACES_TO_BLANKS, _ILLEGAL_BYTES).decode()
        is_whole = len(plain) == len(text)
    else:
        unwrapped = text.replace("\n", " ")
        plain = unicodedata.normalize("NFC", unwrapped)
        if not plain.isprintable():  # other white space than blanks, or control characters
            plain = _SPACE.sub(" ", _ILLEGAL.sub("", plain))
        is_whole = plain == unwrapped
    if not is_whole:
        return normalise_text(plain)  # what was parted may belong together
    plain = plain.strip()
    while "  " in plain:
        plain = plain.replace("  ", " ")
    return plain


def title_key(title: str) -> str:
    r"""Reduce a title to what must be equal in two writings of it.

    TeX is decoded, braces and dollar signs go, font macros go with their braces, other
    macros leave their name (``\alpha`` -> ``alpha``, but ``\ell`` -> ``l``), accents and case
    go, and all but letters and digits becomes one blank.

    Returns
    -------
    str
        Words joined by single blanks; empty for a title without letters and digits.
    """
    if "\\" in title:
        title = _MACRO.sub(_macro_letters, decode_tex(title))
    if title.isascii():
        return b" ".join(title.encode().translate(_SIGNS_TO_KEY, b"{}$").split()).decode()
    for sign in "{}$":
        title = title.replace(sign, "")
    title = unicodedata.normalize("NFKD", title).casefold()
    title = "".join(sign for sign in title if not unicodedata.combining(sign))
    return _NO_LETTER.sub(" ", title).strip()


def _macro_letters(match: re.Match[str]) -> str:
    name = match[1]
    if _FONT_MACRO.fullmatch(name):
        return ""
    return "l" if name == "ell" else f"{name} "
