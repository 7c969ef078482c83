"""Multiscale bootstrap: how sure a sub-tree is, corrected for the bias of the bootstrap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtr, ndtri

from survey_tools.errors import ParameterError

__all__ = ["SCALES", "MultiscaleFit", "draw_multiplicities", "fit_multiscale", "resampled_size"]

SCALES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
"""pvclust's default scales."""

# Both from pvclust's msfit: shares this close to 0 or 1 are no use, and two parameters want
# a scale to spare.
_LEAST_SHARE = 0.001
_FEWEST_SCALES = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiscaleFit:
    """Bootstrap probabilities of each sub-tree; all arrays have shape (n_nodes,).

    Where fewer than three scales are of use (`fit_multiscale` says which are), there is no fit:
    AU and BP are then 0 or 1, and all else but ``n_scales`` is NaN, where pvclust writes 0.

    Attributes
    ----------
    au, bp : ndarray of float
        Approximately unbiased probability, and the bootstrap probability at scale 1 as the fit
        has it, which wavers less than the share of the replicates at scale 1.
    au_error, bp_error : ndarray of float
        Their standard errors for the number of replicates, by the delta method.
    v, c : ndarray of float
        Signed distance to the boundary of the region of data that have the sub-tree, and the
        curvature of that boundary.
    p_value : ndarray of float
        Of the chi-squared test of the fit; where it is tiny, AU is not to be trusted.
    n_scales : ndarray of int
        Scales of use.
    """

    au: NDArray[np.float64]
    bp: NDArray[np.float64]
    au_error: NDArray[np.float64]
    bp_error: NDArray[np.float64]
    v: NDArray[np.float64]
    c: NDArray[np.float64]
    p_value: NDArray[np.float64]
    n_scales: NDArray[np.intp]

    @property
    def is_fitted(self) -> NDArray[np.bool_]:
        """Whether three or more scales are of use."""
        return np.asarray(self.n_scales >= _FEWEST_SCALES)


def resampled_size(n_terms: int, scale: float) -> int:
    """Return how many terms are drawn at a scale: floor(n_terms * scale), as in pvclust.

    What the fit needs is the true scale, ``resampled_size(n_terms, scale) / n_terms``.

    Raises
    ------
    ParameterError
        If no term would be drawn.
    """
    size = int(np.floor(n_terms * scale)) if 0 < scale < np.inf else 0
    if size < 1:
        raise ParameterError(
            f"scale {scale:g} of {n_terms} terms draws none; "
            "give a scale above 0 that draws at least one"
        )
    return size


def draw_multiplicities(
    n_terms: int, scale: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw terms with replacement and return how often each was drawn.

    Returns
    -------
    ndarray of float, shape (n_terms,)
        Whole numbers with the sum `resampled_size`.

    Raises
    ------
    ParameterError
        If no term would be drawn.
    """
    drawn = rng.integers(n_terms, size=resampled_size(n_terms, scale))
    return np.bincount(drawn, minlength=n_terms).astype(np.float64)


def fit_multiscale(counts: ArrayLike, n_replicates: ArrayLike, scales: ArrayLike) -> MultiscaleFit:
    """Fit the shares of replicates that hold each sub-tree, as pvclust's ``msfit`` does [1]_.

    With Phi the normal distribution, the share at scale r is taken to be
    1 - Phi(v sqrt(r) + c / sqrt(r)); then AU = 1 - Phi(v - c) and BP = 1 - Phi(v + c) [2]_.
    v and c are fitted by least squares to Phi^-1(1 - share), weighted by the inverse of its
    binomial variance share (1 - share) / (phi^2 n_replicates).

    A scale is of use for a sub-tree if more than 0.1 % and less than 99.9 % of its replicates
    hold it. With fewer than three such scales, AU and BP are both 0 if the mean share over all
    scales is below one half, else 1.

    Parameters
    ----------
    counts : array_like of int, shape (n_nodes, n_scales)
        Replicates that hold each sub-tree, at each scale.
    n_replicates : array_like of int, shape (n_scales,)
    scales : array_like of float, shape (n_scales,)
        True scales, resampled size over size, all different.

    Raises
    ------
    ParameterError
        If the shapes do not match, a scale has no replicate or stands twice, or a count is
        negative or above the number of replicates.

    References
    ----------
    .. [1] Suzuki and Shimodaira, "Pvclust: an R package for assessing the uncertainty in
       hierarchical clustering", Bioinformatics 22 (2006); ``msfit`` of version 2.2-0.
    .. [2] Shimodaira, "Approximately unbiased tests of regions using multistep-multiscale
       bootstrap resampling", Annals of Statistics 32 (2004); "An approximately unbiased test
       of phylogenetic tree selection", Systematic Biology 51 (2002), for the weights.
    """
    held, total, scale = _check(counts, n_replicates, scales)
    share = held / total
    is_used = (share > _LEAST_SHARE) & (share < 1.0 - _LEAST_SHARE)  # (n_nodes, n_scales)
    n_scales = is_used.sum(axis=1)
    is_fitted = n_scales >= _FEWEST_SCALES
    au = np.where(share.mean(axis=1) < 0.5, 0.0, 1.0)
    bp = au.copy()
    others = np.full((5, len(share)), np.nan)
    fitted = _fit(share[is_fitted], is_used[is_fitted], total, scale)
    au[is_fitted], bp[is_fitted], others[:, is_fitted] = fitted[0], fitted[1], fitted[2:]
    au_error, bp_error, v, c, p_value = others
    return MultiscaleFit(
        au=au,
        bp=bp,
        au_error=au_error,
        bp_error=bp_error,
        v=v,
        c=c,
        p_value=p_value,
        n_scales=n_scales,
    )


def _fit(
    share: NDArray[np.float64],
    is_used: NDArray[np.bool_],
    total: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit sub-trees with enough scales: AU, BP, their errors, v, c and the p-value, (7, n_nodes).

    The columns of the design are sqrt(r) and 1/sqrt(r), times the roots of the weights. By
    Gram-Schmidt the second loses its part along the first, so that the two coefficients below
    have independent errors.
    """
    share = np.where(is_used, share, 0.5)  # the others have no weight
    z = -ndtri(share)
    root_weight = is_used * _density(z) * np.sqrt(total / (share * (1.0 - share)))
    first, second = root_weight * np.sqrt(scale), root_weight / np.sqrt(scale)
    wanted = root_weight * z  # (n_nodes, n_scales), as the two columns
    first_norm = _dot(first, first)
    overlap = _dot(first, second) / first_norm
    second -= overlap[:, None] * first
    second_norm = _dot(second, second)
    along_first = _dot(first, wanted) / first_norm
    c = _dot(second, wanted) / second_norm
    v = along_first - overlap * c
    rest = wanted - along_first[:, None] * first - c[:, None] * second
    au_variance = 1.0 / first_norm + (1.0 + overlap) ** 2 / second_norm  # of v - c
    bp_variance = 1.0 / first_norm + (1.0 - overlap) ** 2 / second_norm  # of v + c
    return np.stack([
        ndtr(c - v), ndtr(-v - c),
        _density(v - c) * np.sqrt(au_variance), _density(v + c) * np.sqrt(bp_variance),
        v, c, chdtrc(is_used.sum(axis=1) - 2, _dot(rest, rest)),
    ])  # fmt: skip


def _check(
    counts: ArrayLike, n_replicates: ArrayLike, scales: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    held = np.asarray(counts, dtype=np.float64)
    total = np.asarray(n_replicates, dtype=np.float64)
    scale = np.asarray(scales, dtype=np.float64)
    if held.ndim != 2 or total.shape != held.shape[1:] or scale.shape != held.shape[1:]:
        raise ParameterError(
            f"counts of shape {held.shape} do not match {total.shape} numbers of replicates "
            f"and {scale.shape} scales; give (n_nodes, n_scales), (n_scales,), (n_scales,)"
        )
    if not total.size or not (total >= 1).all():
        raise ParameterError("every scale needs a replicate; leave out those that have none")
    if not ((scale > 0) & np.isfinite(scale)).all() or len(np.unique(scale)) < len(scale):
        raise ParameterError(
            f"scales are {', '.join(f'{value:g}' for value in scale)}; they must be above 0 "
            "and all different: add up the counts of equal ones"
        )
    if not ((held >= 0) & (held <= total)).all():
        raise ParameterError("a sub-tree is held by 0 to all of the replicates of a scale")
    return held, total, scale


def _density(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi))


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply two (n_nodes, n_scales) arrays row by row, shape (n_nodes,)."""
    return np.asarray(np.einsum("ij,ij->i", a, b))
