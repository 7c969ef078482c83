"""Venues by name: which are only arXiv, which are journals, and venue and year in one text."""

import re
from typing import NamedTuple

__all__ = ["VenueYear", "is_journal", "is_preprint_venue", "split_venue"]

_PREPRINT = re.compile(
    r"ar\s?xiv\b|corr\b|computing research repository|(?:e-?prints?|preprints?)$", re.IGNORECASE
)
_CONFERENCE = re.compile(
    r"\b(?:proceedings|proc\.|conference|conf\.|workshops?|symposium|congress|meeting|"
    r"lecture notes)(?!\w)",
    re.IGNORECASE,
)
_PROCEEDINGS_JOURNAL = re.compile(
    r"proc(?:eedings|\.) of the (?:ieee$|national academy|vldb|royal)", re.IGNORECASE
)
_JOURNAL = re.compile(
    r"^(?:cell|nature|science|sensors|entropy|neural networks|pattern recognition|"
    r"machine learning|artificial intelligence|information fusion|remote sensing|ieee access)$"
    r"|\b(?:journal|j\.|transactions|trans\.|letters|lett\.|reviews?|rev\.|magazine|annals|"
    r"bulletin|archives?|surveys|nature|sciences?|lancet|plos|pnas|quarterly|neurocomputing|"
    r"neuroimage|medical image analysis|bioinformatics|"
    r"ijcv|jmlr|tmlr|jair|t?pami|tip|tmi|tmm|tnnls|tkde|tgrs|tvcg|tcsvt|tacl|tog|jbhi|cviu)"
    r"(?!\w)",
    re.IGNORECASE,
)
# Names by which lists of papers call conferences and journals; others are known by form alone.
_KNOWN = re.compile(
    r"(?:aaai|access|accv|acl|acm ?mm|aistats|aplas|ar ?xiv|asplos|bmvc|chi|cikm|colm|coling|"
    r"colt|conll|corl|corr|cvpr|cviu|dac|eacl|eccv|ecml|emnlp|eurosys|fg|focs|fse|iccv|icassp|"
    r"iccad|icde|icdm|icip|iclr|icme|icml|icpr|icra|icse|ijcai|ijcnn|ijcv|interspeech|iros|isbi|"
    r"isca|ismir|iswc|jmlr|kdd|media|mia|miccai|midl|mlsys|naacl|nature|nips|neurips|neurocomputing|"
    r"nsdi|osdi|pami|pmlr|popl|preprint|ral|ra-l|rss|sigcomm|siggraph(?: asia)?|sigir|sigmod|soda|"
    r"sosp|stoc|tacl|tcsvt|tgrs|tip|tkde|tmi|tmlr|tmm|tnnls|tog|tpami|tvcg|uai|uist|usenix|vldb|"
    r"wacv|wsdm|www)s?",
    re.IGNORECASE,
)
_NAME_AND_YEAR = re.compile(
    r"(?P<venue>[^\W\d_][^\d()\[\]{}|<>]*?)[\s,:_]*(?:['’‘`]?(?P<year>(?:19|20)\d\d)"
    r"|['’‘`]\s?(?P<short>\d\d)|(?<=[A-Za-z])(?P<tight>\d\d))"
    r"(?:[-/.]\d{1,2}){0,2}(?P<rest>[\s,:(-]*[^\W\d_][\w\s.()-]*)?",
)
_YEAR_ONLY = re.compile(r"['’]?(?P<year>(?:19|20)\d\d)(?:[-/.]\d{1,2}){0,2}")
_N_CHARACTERS = 80  # a venue in a list of papers is a short name


class VenueYear(NamedTuple):
    """Venue and year as far as a text says; arXiv is no venue."""

    venue: str | None
    year: int | None


def is_preprint_venue(venue: str) -> bool:
    """Tell whether a venue is only arXiv: ``arXiv preprint arXiv:…``, ``CoRR``, ``ArXiv``."""
    return bool(_PREPRINT.match(venue.strip()))


def is_journal(venue: str) -> bool:
    """Tell whether a venue is known as a journal, or has a word of one in its name.

    ``TPAMI``, ``IEEE Transactions on …``, ``Nature``. A name that says "proceedings",
    "conference" or "workshop" is none; whatever else (``CVPR``) counts as a conference.
    """
    if _PROCEEDINGS_JOURNAL.match(venue):
        return True
    return bool(_JOURNAL.search(venue)) and not _CONFERENCE.search(venue)


def split_venue(text: str, *, known_only: bool = False) -> VenueYear | None:
    """Split a short text that is nothing but venue and year, as lists of papers write them.

    ``CVPR 2023``, ``ICLR'22``, ``ICCV23``, ``ECCV 2022 Workshop``, ``NeurIPS, 2021``, ``2022``,
    ``2022-05``; without a year only names of known venues.

    Parameters
    ----------
    known_only : bool
        Whether a name that is not known is refused even with a year, as in running text.

    Returns
    -------
    VenueYear or None
        None if the text is anything else.
    """
    text = text.strip(" \t.,;:")
    if not text or len(text) > _N_CHARACTERS:
        return None
    if match := _YEAR_ONLY.fullmatch(text):
        return VenueYear(None, int(match["year"]))
    if match := _NAME_AND_YEAR.fullmatch(text):
        venue = match["venue"].strip(" ,:-")
        rest = (match["rest"] or "").strip(" ,:-()")
        if known_only and not any(_KNOWN.fullmatch(word) for word in re.split(r"[\s/-]+", venue)):
            return None
        year = int(match["year"] or 2000 + int(match["short"] or match["tight"]))
        name = f"{venue} {rest}" if rest.lower().startswith("workshop") else venue
        return VenueYear(None if is_preprint_venue(venue) else name or None, year)
    if _KNOWN.fullmatch(text):
        return VenueYear(None if is_preprint_venue(text) else text, None)
    return None
