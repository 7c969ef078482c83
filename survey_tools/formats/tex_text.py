r"""The text of BibTeX values <-> plain text: ``R{\&}D in {ImageNet}`` <-> ``R&D in ImageNet``.

Mathematics between dollar signs is left as it stands, in both directions. What
`encode_value` writes, `decode_value` reads back equal, whatever the text, but for white
space (any run of it is one blank) and Unicode's composed forms (NFC).
"""

import re

from survey_tools.formats.references import clean_text
from survey_tools.tex import decode_tex

__all__ = ["decode_value", "decode_verbatim", "encode_value", "encode_verbatim", "protect_capitals"]

# As in survey_tools.tex: an unpaired dollar sign opens nothing.
_MATH = re.compile(r"((?<!\\)(?:\$\$.+?(?<!\\)\$\$|\$.+?(?<!\\)\$))", re.DOTALL)
_TOKEN = re.compile(
    r"\\(?P<name>[A-Za-z]+)\*?(?P<blank>\s*)(?P<empty>\{\})?(?P<argument>(?=\{))?"
    r"|\\(?P<sign>[^A-Za-z])"
    r"|(?P<other>---?|``|''|~|[{}])",
    re.DOTALL,
)
_MACROS = {
    "textbackslash": "\\", "textbraceleft": "{", "textbraceright": "}", "lbrace": "{",
    "rbrace": "}", "textasciitilde": "~", "textasciicircum": "^", "textunderscore": "_",
    "textdollar": "$", "textendash": "–", "textemdash": "—", "textquoteleft": "‘",
    "textquoteright": "’", "textquotedblleft": "“", "textquotedblright": "”",
    "textbar": "|", "textless": "<", "textgreater": ">", "textbullet": "•",
    "textperiodcentered": "·", "textdegree": "°", "texttimes": "×", "textmu": "µ",
    "textregistered": "®", "texttrademark": "™", "textcopyright": "©", "copyright": "©",
    "ldots": "…", "dots": "…", "textellipsis": "…", "pounds": "£", "euro": "€", "S": "§",
    "LaTeX": "LaTeX", "TeX": "TeX", "BibTeX": "BibTeX", "slash": "/", "newline": " ",
    "quad": " ", "enspace": " ", "nobreakspace": " ", "space": " ", "relax": "",
    "protect": "", "url": "", "path": "", "emph": "", "uppercase": "", "MakeUppercase": "",
    "mbox": "", "textsuperscript": "", "textsubscript": "", "noopsort": "", "ensuremath": "",
    "bf": "", "em": "", "it": "", "rm": "", "sc": "", "sf": "", "sl": "", "tt": "",
    "bfseries": "", "itshape": "", "scshape": "", "small": "", "textbf": "", "textit": "",
    "textmd": "", "textnormal": "", "textrm": "", "textsc": "", "textsf": "", "textsl": "",
    "texttt": "", "textup": "",
}  # fmt: skip
_SIGNS = {"$": "$", "{": "{", "}": "}", "&": "&", "%": "%", "#": "#", "_": "_", "-": "",
          "/": "", "!": "", ",": " ", ";": " ", ":": " ", " ": " ", "\n": " ", "\t": " ",
          "\\": " ", "@": ""}  # fmt: skip
_OTHERS = {"---": "—", "--": "–", "``": "“", "''": "”", "~": " ", "{": "", "}": ""}
_SPECIAL = re.compile(r"[\\{}~^&%#_$]|(?<=-)-|(?<=`)`|(?<=')'")
_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "-": "{}-", "`": "{}`", "'": "{}'",
}  # fmt: skip
_BRACE = re.compile(r"[{}]")
_UNESCAPED_BRACE = re.compile(r"(?<!\\)[{}]")
_WORD = re.compile(r"(?P<lead>[^\w\s]*+)(?P<word>\S*[^\W_])(?P<tail>\S*)|(?P<rest>\S+)")
_HYPHEN = re.compile(r"[-–/]")
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")


def decode_value(value: str) -> str:
    r"""Turn the text of a BibTeX value into plain text.

    Accents and letters become Unicode, protective braces and font macros go, ties become
    blanks, ``--`` and quotation marks the signs that TeX prints for them. Macros that are
    not known stay as they are.
    """
    if "\\" in value:
        value = decode_tex(value)
    parts = _MATH.split(value)  # odd parts are mathematics
    parts[::2] = [_TOKEN.sub(_decode, part) for part in parts[::2]]
    return clean_text("".join(parts))


def _decode(match: re.Match[str]) -> str:
    if other := match["other"]:
        return _OTHERS[other]
    if sign := match["sign"]:
        return _SIGNS.get(sign, match[0])
    name = match["name"]
    if name in _MACROS:
        return _MACROS[name]
    ends = match["empty"] or match["argument"] is not None
    return f"\\{name} " if ends else match[0]


def encode_value(text: str) -> str:
    r"""Turn plain text into the text of a BibTeX value, in UTF-8.

    TeX's special characters are escaped outside mathematics; mathematics whose braces are
    not balanced would break the file and is escaped too.
    """
    parts = _MATH.split(text)
    return "".join(
        part if i % 2 and _is_balanced(part) else _escape(part) for i, part in enumerate(parts)
    )


def protect_capitals(title: str) -> str:
    """Encode a title and put braces around words that a style must not lower-case.

    Those are words with a capital after their first letter (``ImageNet``, ``3D``) or beside a
    digit (``V2``), capitals that stand alone, and mathematics; in a title that is not in title
    case also words that begin with a capital, which are names there.
    """
    long_words = _LONG_WORD.findall(title)[1:]
    n_capital = sum(word[0].isupper() for word in long_words)
    is_title_case = 2 * n_capital >= len(long_words)
    parts = _MATH.split(title)
    encoded = []
    for i, part in enumerate(parts):
        if i % 2 and _is_balanced(part):
            encoded.append(f"{{{part}}}")
        else:
            start = not any(before.strip() for before in parts[:i])
            encoded.append(_protect_words(part, at_start=start, is_title_case=is_title_case))
    return "".join(encoded)


def _protect_words(text: str, *, at_start: bool, is_title_case: bool) -> str:
    pieces = []
    end = 0
    for match in _WORD.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match["rest"]:
            pieces.append(_escape(match["rest"]))
            continue
        word = match["word"]
        letters = [sign for sign in word if sign.isalpha()]
        is_named = bool(letters) and letters[0].isupper() and not is_title_case and not at_start
        is_protected = is_named or any(_is_acronym(part) for part in _HYPHEN.split(word))
        encoded = f"{{{_escape(word)}}}" if is_protected else _escape(word)
        # what stands around the word stays outside: styles keep the capital after a colon
        pieces += _escape(match["lead"]), encoded, _escape(match["tail"])
        at_start = False
    pieces.append(text[end:])
    return "".join(pieces)


def _is_acronym(word: str) -> bool:
    """Tell ``BEiT``, ``3D``, ``V2`` and a capital alone, but not ``A`` and ``I``."""
    if any(sign.isupper() for sign in word[1:]):
        return True
    if any(sign.isdigit() for sign in word):
        return word[0].isupper()
    return len(word) == 1 and word.isupper() and word not in "AI"


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], f"\\{match[0]}"), text)


def _is_balanced(text: str) -> bool:
    """Tell whether braces pair, both as BibTeX counts them and with escaped ones left out."""
    for pattern in (_BRACE, _UNESCAPED_BRACE):
        depth = 0
        for match in pattern.finditer(text):
            depth += 1 if match[0] == "{" else -1
            if depth < 0:
                return False
        if depth:
            return False
    return True


def decode_verbatim(value: str) -> str:
    r"""Read a link or an identifier: escapes, ``\url{}`` and braces go, ``~`` stays."""
    value = re.sub(r"\\(?:url|path|nolinkurl)\s*(?=\{)", "", value)
    value = re.sub(r"\\(?:textasciitilde|~)\s*(?:\{\s*\})?", "~", value)
    value = re.sub(r"\\textunderscore\s*(?:\{\s*\})?", "_", value)
    return clean_text(re.sub(r"\\([%#_&${}])|[{}]", r"\1", value))


def encode_verbatim(text: str) -> str:
    r"""Write a link or an identifier as it is; braces, ``\`` and blanks are percent-encoded."""
    return re.sub(r"[{}\\\s]", lambda match: f"%{ord(match[0]):02X}", text)
