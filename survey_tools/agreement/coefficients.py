"""Coefficients of agreement of annotators: kappa of Cohen, of Fleiss, alpha of Krippendorff.

Each is 1 less the disagreement observed over that expected by chance. The ``build_``
functions do once what depends on the ratings alone and return a `Coefficient`, which a
bootstrap calls with how often each paper was drawn.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from survey_tools.agreement.mantel import measure_label_distances
from survey_tools.agreement.ratings import Ratings, code_pairable, code_shared
from survey_tools.cover import Cover
from survey_tools.errors import ParameterError

__all__ = [
    "Coefficient",
    "SetDistance",
    "build_alpha",
    "build_cohen",
    "build_fleiss",
    "cohen_kappa",
    "evaluate",
    "fleiss_kappa",
    "krippendorff_alpha",
]

SetDistance = Literal["nominal", "masi", "jaccard"]
Floats = NDArray[np.float64]
# how often each paper counts, shape (n_samples, n_papers) -> values, shape (n_samples,)
Coefficient = Callable[[Floats], Floats]

_TIE = 1e-12  # expected disagreement this small is none, but for the order of a sum


def cohen_kappa(a: Mapping[str, Hashable], b: Mapping[str, Hashable]) -> float:
    """Measure the agreement of two annotators, each with habits of their own.

    Parameters
    ----------
    a, b : mapping of str to hashable
        Paper key -> the category that the annotator gave.

    Returns
    -------
    float
        -1 to 1; 1 if both put all papers into the same one category, where kappa itself
        is undefined.

    Raises
    ------
    ParameterError
        If the annotators rated different papers, or none.

    References
    ----------
    .. [1] Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
       Measurement 20 (1960), 37-46.
    """
    rated = code_shared([a, b])
    return evaluate(build_cohen(rated), rated.n_papers)


def fleiss_kappa(ratings: Sequence[Mapping[str, Hashable]]) -> float:
    """Measure the agreement of two or more annotators, taken to have the same habits.

    Parameters
    ----------
    ratings : sequence of mapping of str to hashable
        For each annotator paper key -> category. Who gave which category plays no role.

    Returns
    -------
    float
        -1 / (n_annotators - 1) to 1; 1 if all annotators put all papers into the same one
        category, where kappa itself is undefined.

    Raises
    ------
    ParameterError
        If there are fewer than two annotators, or they rated different papers, or none.

    References
    ----------
    .. [1] Fleiss, "Measuring nominal scale agreement among many raters", Psychological
       Bulletin 76 (1971), 378-382.
    """
    rated = code_shared(ratings)
    return evaluate(build_fleiss(rated), rated.n_papers)


def krippendorff_alpha(
    ratings: Sequence[Mapping[str, frozenset[str]]], *, distance: SetDistance
) -> float:
    """Measure the agreement of two or more annotators who give sets of labels.

    Parameters
    ----------
    ratings : sequence of mapping of str to frozenset of str
        For each annotator paper key -> labels, the empty set for none. Annotators need not
        have rated the same papers; papers with fewer than two ratings do not count.
    distance : {"nominal", "masi", "jaccard"}
        How far two sets differ: nominal, 0 if they are equal and 1 if not; MASI and Jaccard,
        see `measure_label_distances`. It stands where [1]_ has the squared difference, as
        it does in [2]_.

    Returns
    -------
    float
        At most 1; 1 if all sets are equal, where alpha itself is undefined.

    Raises
    ------
    ParameterError
        If there are fewer than two annotators, no paper has two ratings, or there is no such
        distance.

    References
    ----------
    .. [1] Krippendorff, Content Analysis, 2nd edition, 2004, section 11.3.
    .. [2] Passonneau, "Measuring agreement on set-valued items (MASI) for semantic and
       pragmatic annotation", LREC 2006.
    """
    rated = code_pairable(ratings)
    return evaluate(build_alpha(rated, distance), rated.n_papers)


def evaluate(coefficient: Coefficient, n_papers: int) -> float:
    """Compute a coefficient of all papers, each counted once."""
    return float(coefficient(np.ones((1, n_papers)))[0])


def build_cohen(ratings: Ratings[Hashable]) -> Coefficient:
    """Prepare Cohen's kappa of papers that both of two annotators rated."""
    a, b = (ratings.codes[:, [i]] == np.arange(len(ratings.categories)) for i in (0, 1))
    is_unlike = ratings.codes[:, 0] != ratings.codes[:, 1]

    def measure(weights: Floats) -> Floats:
        n_papers = weights.sum(axis=1)
        by_chance = ((weights @ a) * (weights @ b)).sum(axis=1)
        return _exceed_chance((weights @ is_unlike) * n_papers, n_papers**2 - by_chance)

    return measure


def build_fleiss(ratings: Ratings[Hashable]) -> Coefficient:
    """Prepare Fleiss' kappa of papers that all annotators rated."""
    counts = ratings.count()
    n_annotators = ratings.codes.shape[1]
    n_unlike = n_annotators**2 - (counts**2).sum(axis=1)  # ordered pairs of ratings of a paper

    def measure(weights: Floats) -> Floats:
        n_ratings = weights.sum(axis=1) * n_annotators
        by_chance = ((weights @ counts) ** 2).sum(axis=1)
        observed = (weights @ n_unlike) * n_ratings / (n_annotators - 1)
        return _exceed_chance(observed, n_ratings**2 - by_chance)

    return measure


def build_alpha(ratings: Ratings[frozenset[str]], distance: SetDistance) -> Coefficient:
    """Prepare Krippendorff's alpha of papers that at least two annotators rated."""
    counts = ratings.count()
    apart = _measure_set_distances(ratings.categories, distance)
    n_of_paper = counts.sum(axis=1)
    of_paper = ((counts @ apart) * counts).sum(axis=1) / (n_of_paper - 1.0)

    def measure(weights: Floats) -> Floats:
        given = weights @ counts
        observed = (weights @ of_paper) * (weights @ n_of_paper - 1.0)
        return _exceed_chance(observed, ((given @ apart) * given).sum(axis=1))

    return measure


def _measure_set_distances(sets: Sequence[frozenset[str]], distance: SetDistance) -> Floats:
    """Measure how far all pairs of sets differ, shape (n_sets, n_sets)."""
    if distance not in (known := get_args(SetDistance)):
        raise ParameterError(f"no distance {distance!r} of sets; there are {', '.join(known)}")
    if distance == "nominal":
        return 1.0 - np.eye(len(sets))
    # each set stands for a paper that carries it
    carried = {str(i): sorted(labels) for i, labels in enumerate(sets)}
    return measure_label_distances(Cover.from_mapping(carried), distance)


def _exceed_chance(observed: Floats, expected: Floats) -> Floats:
    """Return 1 less observed over expected disagreement; 1 where none is expected."""
    share = np.divide(observed, expected, out=np.zeros(len(observed)), where=expected > _TIE)
    return np.asarray(1.0 - share)
