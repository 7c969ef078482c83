"""Nearest neighbours: what distances between features alone can tell, without training."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.probe_data import ProbeData

__all__ = ["NeighbourScore", "score_neighbours"]

_BLOCK_CELLS = 4_000_000  # similarities held at once, 32 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeighbourScore:
    """How well nearest neighbours told the classes of the test images.

    Attributes
    ----------
    accuracy : float
        Share of test images whose class is right.
    predictions : ndarray of int, shape (n_test,)
        Classes, as in the labels.
    """

    accuracy: float
    predictions: NDArray[np.integer]


def score_neighbours(
    data: ProbeData,
    *,
    n_neighbours: int = 20,
    voting: Literal["weighted", "plain"] = "weighted",
    temperature: float = 0.07,
) -> NeighbourScore:
    """Give each test image the class that most of its nearest training images have.

    Nearness is the cosine of features. A neighbour's vote weighs exp(cosine / temperature)
    [1]_, or 1 if plain. Of equally near images the first in the data counts; of equal votes the
    class whose neighbours are nearer in sum, then the smaller class. A feature of length 0 has
    the cosine 0 with all.

    Parameters
    ----------
    n_neighbours : int
        20 is the best of 10 to 200 for ViTs of DINO [2]_; [1]_ takes 200 of ImageNet's
        1,281,167 images.
    temperature : float
        Of weighted votes; 0.07 as in [1]_ and [2]_.

    Raises
    ------
    ParameterError
        If there are fewer training images than neighbours, or an option is not allowed.

    References
    ----------
    .. [1] Wu, Xiong, Yu and Lin, "Unsupervised feature learning via non-parametric instance
       discrimination", CVPR 2018, section 3.4.
    .. [2] Caron et al., "Emerging properties in self-supervised vision transformers", ICCV
       2021, appendix F.1.
    """
    n_train = len(data.train)
    if not 1 <= n_neighbours <= n_train:
        raise ParameterError(
            f"n_neighbours must be from 1 to {n_train}, the number of training images; "
            f"{n_neighbours} arrived"
        )
    if voting not in ("weighted", "plain"):
        raise ParameterError(f"voting must be weighted or plain; {voting!r} arrived")
    if not temperature > 0.0:
        raise ParameterError(f"temperature must be above 0; {temperature} arrived")
    train, test = _unit_length(data.train), _unit_length(data.test)
    belongs = np.eye(len(data.classes))[data.train_codes]  # (n_train, n_classes)
    at_once = max(1, _BLOCK_CELLS // n_train)
    codes = np.empty(len(test), dtype=np.intp)
    for first in range(0, len(test), at_once):
        cosines = test[first : first + at_once] @ train.T  # (n_some, n_train)
        is_near = _nearest(cosines, n_neighbours)
        # relative to the nearest, so that no power overflows; that changes no vote's winner
        powers = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / temperature)
        weights = powers if voting == "weighted" else np.ones_like(cosines)
        votes = np.where(is_near, weights, 0.0) @ belongs
        # a class without a vote cannot win by cosines below 0
        nearness = np.where(votes > 0.0, np.where(is_near, cosines, 0.0) @ belongs, -np.inf)
        is_most = votes >= votes.max(axis=1, keepdims=True)
        codes[first : first + at_once] = np.where(is_most, nearness, -np.inf).argmax(axis=1)
    return NeighbourScore(
        accuracy=float((codes == data.test_codes).mean()), predictions=data.classes[codes]
    )


def _unit_length(features: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0.0))


def _nearest(cosines: NDArray[np.float64], n_neighbours: int) -> NDArray[np.bool_]:
    """Mark the n greatest of each row, of equal ones the first."""
    place = cosines.shape[1] - n_neighbours
    last = np.partition(cosines, place, axis=1)[:, place, None]  # the n-th greatest
    is_nearer, is_equal = cosines > last, cosines == last
    n_left = n_neighbours - is_nearer.sum(axis=1, keepdims=True)
    return np.asarray(is_nearer | (is_equal & (np.cumsum(is_equal, axis=1) <= n_left)))
