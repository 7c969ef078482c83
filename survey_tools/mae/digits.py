"""scikit-learn's handwritten digits as images: 1,797 of 8 x 8 pixels, offline."""

import numpy as np

from survey_tools.errors import ParameterError
from survey_tools.mae.image_set import SPLITS, ImageSet, Split

__all__ = ["read_digits"]

_GREATEST = 16.0  # counts of the black pixels of 4 x 4 blocks


def read_digits(split: Split, *, seed: int, test_share: float = 0.25) -> ImageSet:
    """Read the training or the test part of the digits, split anew by each seed.

    Every class is split by itself, so that both parts hold each digit in the same share.

    Parameters
    ----------
    split : {"train", "test"}
    seed : int
        0 or more.
    test_share : float
        Of each class, rounded to whole images; above 0, below 1.

    Returns
    -------
    ImageSet
        Label "digit"; images of shape (n_images, 1, 8, 8), from 0 to 1, by rising number.

    Raises
    ------
    ParameterError
        If an argument is not allowed, or the share leaves a part without images.

    References
    ----------
    .. [1] Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI machine
       learning repository (1998), test part, as in ``sklearn.datasets.load_digits``.
    """
    from sklearn.datasets import load_digits

    if split not in SPLITS:
        raise ParameterError(f"split must be train or test; {split!r} arrived")
    if seed < 0:
        raise ParameterError(f"seed must be 0 or more; {seed} arrived")
    if not 0.0 < test_share < 1.0:
        raise ParameterError(f"test_share must lie between 0 and 1; {test_share} arrived")
    pixels, digits = load_digits(return_X_y=True)
    is_test = np.zeros(len(digits), dtype=np.bool_)
    for digit in range(10):
        members = np.flatnonzero(digits == digit)
        n_test = round(test_share * len(members))
        if not 0 < n_test < len(members):
            raise ParameterError(
                f"test_share {test_share} leaves a part without the digit {digit} "
                f"({len(members)} images); choose one nearer to a half"
            )
        rng = np.random.default_rng([seed, digit])
        is_test[rng.permutation(members)[:n_test]] = True
    numbers = np.flatnonzero(is_test if split == "test" else ~is_test)
    return ImageSet(
        name=f"digits, {split}",
        images=(pixels[numbers] / _GREATEST).astype(np.float32).reshape(-1, 1, 8, 8),
        numbers=numbers,
        labels={"digit": digits[numbers].astype(np.intp)},
        class_names={"digit": tuple("0123456789")},
        quantities={},
    )
