"""Feature collapse: an encoder that maps all images to nearly the same, or along few directions.

A low loss shows no collapse (an encoder that learns its own output has the loss 0 long before
its features are one point), so features are looked at, best beside those of the same network
with random weights on the same images: what an image set lacks in variety, both lack.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from survey_tools.errors import DataError
from survey_tools.mae.detectors import Detection, detect_above, detect_below
from survey_tools.mae.probe_data import check_features

__all__ = ["detect_collapse", "effective_rank", "relative_spread", "uniformity"]

# Thresholds are ours, set by small runs (a ViT of width 64; features are means over patches).
# Beside the same network with random weights, healthy encoders (MAE and latents on digits, 64 to
# 400 steps, 12 seeds; others of digits and textured shapes, trained longer) had 0.44 to 2.4 times
# its effective rank, 0.07 to 1.6 times its spread and 0.7 to 1.2 times its uniformity. Encoders of
# digits ruined by 100 times the learning rate (64 to 400 steps, 12 seeds) had 0.10 to 0.40,
# 0.001 to 0.32 and 0.34 to 0.80 times; the one above 0.35 times the rank had 0.013 times the
# spread. Spreads overlap, ranks nearly do: no measure sees every failure; one is enough for one.
_SHARE_OF_RANK = 0.35
_SHARE_OF_SPREAD = 0.05
_SHARE_OF_UNIFORMITY = 0.5
# Without a baseline, only what is plain: a twentieth of the greatest rank there can be, but always
# 2 directions; two thirds of the least spread of the healthy encoders (0.008); a value between
# the uniformity of points along a line (-0.7) and on a circle (-1.6). 8 of the 36 ruined
# encoders pass: ranks were 2.3 to 7.9 (healthy: 14.6 and more), spreads 0.0003 to 0.017.
_SHARE_OF_GREATEST_RANK = 0.05
_LEAST_RANK = 2.0
_LEAST_SPREAD = 0.005
_GREATEST_UNIFORMITY = -1.0

_MOST_PAIRED = 2048  # images whose pairs are looked at, 16 MB


def effective_rank(features: NDArray[np.floating]) -> float:
    """Return the exponential of the entropy of the singular values, as shares of their sum.

    Features are centred first: a common mean is no direction in which images differ.

    Parameters
    ----------
    features : ndarray of float, shape (n_images, dim)

    Returns
    -------
    float
        From 1 (all differences lie along one line) to the smaller of n_images - 1 and dim; 0
        if all features are the same.

    Raises
    ------
    DataError
        If the features are no table of finite numbers.

    References
    ----------
    .. [1] Roy and Vetterli, "The effective rank: a measure of effective dimensionality",
       EUSIPCO 2007, definition 1.
    .. [2] Garrido et al., "RankMe: assessing the downstream performance of pretrained
       self-supervised representations by their rank", ICML 2023.
    """
    check_features(features, "features")
    wide = features.astype(np.float64)
    values = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False)
    rounding = np.finfo(features.dtype).eps * max(features.shape) * np.abs(wide).max()
    values = values[values > rounding]
    if not len(values):
        return 0.0
    shares = values / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def relative_spread(features: NDArray[np.floating]) -> float:
    """Return the spread of features of unit length: root of the sum of variances over dimensions.

    Parameters
    ----------
    features : ndarray of float, shape (n_images, dim)

    Returns
    -------
    float
        1 where features point everywhere (each dimension then has the standard deviation
        1 / sqrt(dim), the healthy value of [1]_), 0 where all point the same way. Transformers
        share a large common part; healthy masked autoencoders are seen down to 0.008.

    Raises
    ------
    DataError
        If the features are no table of finite numbers.

    References
    ----------
    .. [1] Chen and He, "Exploring simple Siamese representation learning", CVPR 2021, figure 2.
    """
    return float(np.sqrt(_unit_length(features).var(axis=0).sum()))


def uniformity(features: NDArray[np.floating], *, t: float = 2.0) -> float:
    """Return the logarithm of the mean of exp(-t d^2) over pairs of centred unit features.

    Unlike in [1]_ features are centred before they get unit length: a transformer's share a
    large common part (healthy masked autoencoders reach cosines of 0.997), beside which every
    encoder would look collapsed. Of more than 2,048 images as many, evenly spaced, count.

    Parameters
    ----------
    features : ndarray of float, shape (n_images, dim)
        Of at least two images.

    Returns
    -------
    float
        About -2 t if they differ in many directions; with t = 2, -0.7 if along one line, -1.6
        on a circle, -2.1 on a sphere; 0 if all are the same.

    Raises
    ------
    DataError
        If the features are no table of finite numbers, or of a single image.

    References
    ----------
    .. [1] Wang and Isola, "Understanding contrastive representation learning through alignment
       and uniformity on the hypersphere", ICML 2020, equation 2.
    """
    check_features(features, "features")
    if len(features) < 2:
        raise DataError("uniformity is of pairs; features of a single image arrived")
    wide = features.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    rounding = np.finfo(features.dtype).eps * max(features.shape) * np.abs(wide).max()
    unit = _unit_length(np.where(np.abs(centred) > rounding, centred, 0.0))
    if len(unit) > _MOST_PAIRED:
        unit = unit[np.linspace(0, len(unit) - 1, _MOST_PAIRED).round().astype(np.intp)]
    squares = (unit**2).sum(axis=1)
    squared = squares[:, None] + squares - 2.0 * unit @ unit.T
    pairs = np.maximum(squared[np.triu_indices(len(unit), k=1)], 0.0)
    return float(logsumexp(-t * pairs) - np.log(len(pairs)))


def detect_collapse(
    features: NDArray[np.floating], *, baseline: NDArray[np.floating] | None = None
) -> tuple[Detection, Detection, Detection]:
    """Look for collapse in the features of some hundred images or more.

    With a baseline, a failure is an effective rank below 0.35 of the baseline's, a spread below
    a twentieth of it, or a uniformity nearer to 0 than half of it. Without one: an effective
    rank below a twentieth of the smaller of n_images - 1 and dim, or below 2; a spread below
    0.005; a uniformity above -1. Where there is a baseline, give it: rank depends on the images,
    and without one only the plainest collapse is seen.

    Parameters
    ----------
    features : ndarray of float, shape (n_images, dim)
    baseline : ndarray of float, shape (n_images, dim), optional
        Of the same images, by the same network with random weights.

    Returns
    -------
    tuple of Detection
        "effective rank", "spread", "uniformity".

    Raises
    ------
    DataError
        If features are no table of finite numbers, or the baseline has another shape.
    """
    rank, spread, even = effective_rank(features), relative_spread(features), uniformity(features)
    if baseline is None:
        greatest = min(len(features) - 1, features.shape[1])
        least_rank = max(_LEAST_RANK, _SHARE_OF_GREATEST_RANK * greatest)
        least_spread, greatest_uniformity = _LEAST_SPREAD, _GREATEST_UNIFORMITY
        beside = ""
    else:
        if baseline.shape != features.shape:
            raise DataError(
                f"features of shape {features.shape} cannot be compared with a baseline of shape "
                f"{baseline.shape}; give those of the same images by the same network"
            )
        least_rank = _SHARE_OF_RANK * effective_rank(baseline)
        least_spread = _SHARE_OF_SPREAD * relative_spread(baseline)
        greatest_uniformity = _SHARE_OF_UNIFORMITY * uniformity(baseline)
        beside = " beside the baseline"
    return (
        detect_below(
            "effective rank",
            rank,
            least_rank,
            failure=f"The features differ along few directions only{beside}",
            healthy=f"The features differ along many directions{beside}",
        ),
        detect_below(
            "spread",
            spread,
            least_spread,
            failure=f"All features point nearly the same way{beside}",
            healthy=f"The features point different ways{beside}",
        ),
        detect_above(
            "uniformity",
            even,
            greatest_uniformity,
            failure=f"Pairs of features are nearly equal{beside}",
            healthy=f"Pairs of features are apart{beside}",
        ),
    )


def _unit_length(features: NDArray[np.floating]) -> NDArray[np.float64]:
    check_features(features, "features")
    wide = features.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0.0))
