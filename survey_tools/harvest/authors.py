"""Names of authors: how many two lists have in common, however they are written."""

from collections.abc import Iterable

from survey_tools.tex import normalise_text, title_key

__all__ = ["count_shared_authors"]

_PARTICLES = frozenset({
    "af", "al", "ben", "bin", "da", "das", "de", "del", "della", "den", "der", "di", "dos",
    "du", "el", "la", "le", "ten", "ter", "van", "von", "zu",
})  # fmt: skip
_NAME_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv"})
_GROUPS = frozenset({
    "collaboration", "collaborations", "consortium", "group", "network", "project", "team",
})  # fmt: skip
_GROUP_FILLERS = frozenset({"behalf", "for", "of", "on", "the"})
_NO_NAMES = frozenset({"al", "et al", "others"})
_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "Ae"}
    | {"œ": "oe", "Œ": "Oe", "ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ŋ": "ng"}
    | {"'": "", "’": "", "`": "", "ʼ": ""}
)
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "Å": "Aa"}
    | {"ø": "oe", "Ø": "Oe"}
)


def count_shared_authors(names: Iterable[str], others: Iterable[str]) -> int | None:
    """Count the names that have a namesake among others; None where either side has none.

    Surnames are compared, without accents (``Müller`` as ``Muller`` or ``Mueller``), particles,
    initials and suffixes; ``Last, First`` and ``First Last`` are both read, and a name that
    puts the family first is found by all its words. A collaboration is known by its whole
    name.
    """
    ours = [forms for name in names if (forms := _name_forms(name))]
    theirs = frozenset[str]().union(*(_name_forms(name) for name in others))
    if not ours or not theirs:
        return None
    return sum(not theirs.isdisjoint(forms) for forms in ours)


def _name_forms(name: str) -> frozenset[str]:
    name = normalise_text(name)
    spellings = {name.translate(table).translate(_LETTERS) for table in ({}, _UMLAUTS)}
    return frozenset().union(*map(_plain_name_forms, spellings))


def _plain_name_forms(name: str) -> frozenset[str]:
    key = title_key(name)
    if not key or key in _NO_NAMES:
        return frozenset()
    words = key.split()
    if not _GROUPS.isdisjoint(words):
        return frozenset({" ".join(word for word in words if word not in _GROUP_FILLERS)})
    family, comma, given = name.partition(",")
    if comma and title_key(given) not in _NAME_SUFFIXES:
        words = title_key(family).split() or words
    while len(words) > 1 and (len(words[-1]) == 1 or words[-1] in _NAME_SUFFIXES):
        words.pop()
    forms = {words[-1]}
    joined = words[-1]
    for particle in reversed(words[:-1]):
        if particle not in _PARTICLES:
            break
        joined = particle + joined
        forms.add(joined)
    whole = sorted(word for word in key.split() if word not in _NAME_SUFFIXES)
    if len(whole) > 1 and min(map(len, whole)) > 1:
        forms.add(" ".join(whole))
    return frozenset(forms)
