"""Near titles: pairs that are most likely two writings of one title, found in large lists."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from survey_tools.harvest.titles import veto
from survey_tools.tex import title_key

__all__ = ["LEAST_RATIO", "NearPair", "find_near_titles"]

# Similarity of two titles in per cent, 100 times 1 - edits / length of both, with deletions and
# insertions as edits: at 95 a title of 80 letters has 4 wrong ones at most. Chosen so that of the
# 16,110 pairs of titles of the bundled survey none is reported.
LEAST_RATIO = 95.0
# Two texts whose lengths differ more cannot reach it: 200 * short / (short + long) < 95.
_LEAST_LENGTH_RATIO = LEAST_RATIO / (200.0 - LEAST_RATIO)
_N_IN_BLOCK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NearPair:
    """Places of two titles that are nearly the same, and their similarity in per cent."""

    first: int
    second: int
    ratio: float


def find_near_titles(
    titles: Sequence[str], others: Sequence[str] | None = None
) -> tuple[NearPair, ...]:
    """Find pairs of titles that are nearly the same, of one list or of two.

    Titles are compared without case, accents and punctuation (`title_key`). A pair counts from
    a similarity of `LEAST_RATIO` on, unless words speak against it: a number, a negation,
    another word (`veto`). Only titles of like length are compared, in blocks of compiled code:
    20,000 titles take some 10 s on one core.

    Parameters
    ----------
    others : sequence of str, optional
        The second list; without it, every pair of two places in ``titles`` is tried once.

    Returns
    -------
    tuple of NearPair
        Ordered by ``first``, then ``second``; in one list ``first < second``. Titles without
        letters and digits are near to none.
    """
    seconds = titles if others is None else others
    keys = [title_key(title) for title in titles]
    other_keys = keys if others is None else [title_key(title) for title in seconds]
    rows, columns = _by_length(keys), _by_length(other_keys)
    lengths = np.array([len(other_keys[i]) for i in columns])
    found = []
    for start in range(0, len(rows), _N_IN_BLOCK):
        block = rows[start : start + _N_IN_BLOCK]
        shortest, longest = len(keys[block[0]]), len(keys[block[-1]])
        low, high = np.searchsorted(
            lengths, [shortest * _LEAST_LENGTH_RATIO, longest / _LEAST_LENGTH_RATIO + 1]
        )
        near = columns[low:high]
        ratios = process.cdist(
            [keys[i] for i in block],
            [other_keys[j] for j in near],
            scorer=fuzz.ratio,
            score_cutoff=LEAST_RATIO,
            dtype=np.float32,
        )  # (n_in_block, n_near)
        for row, column in np.argwhere(ratios >= LEAST_RATIO):
            first, second = int(block[row]), int(near[column])
            if others is None and first >= second:
                continue
            if veto(titles[first], seconds[second]) is None:
                ratio = float(ratios[row, column])
                found.append(NearPair(first=first, second=second, ratio=ratio))
    return tuple(sorted(found, key=lambda pair: (pair.first, pair.second)))


def _by_length(keys: Sequence[str]) -> NDArray[np.intp]:
    """Return the places of texts by their length, without empty ones."""
    filled = [i for i, key in enumerate(keys) if key]
    return np.array(sorted(filled, key=lambda i: len(keys[i])), dtype=np.intp)
