"""How many patches stay visible."""

import math
from fractions import Fraction

from survey_tools.errors import ParameterError

__all__ = ["count_kept"]


def count_kept(n_patches: int, mask_ratio: float) -> int:
    """Count the patches that stay visible at a mask ratio.

    The nearest whole number to n_patches * (1 - mask_ratio), of two equally near ones the
    smaller; at least 1 and at most n_patches - 1. The ratio counts as the decimal number that is
    written: 10 patches at 0.9 keep 1, where ``int(10 * (1 - 0.9))`` keeps 0.

    Raises
    ------
    ParameterError
        If the ratio is not above 0 and below 1, or there are fewer than 2 patches.
    """
    if not math.isfinite(mask_ratio) or mask_ratio <= 0:
        raise ParameterError(
            f"mask_ratio={mask_ratio!r}: nothing would be masked and there would be no loss; "
            "a number above 0 and below 1 is wanted"
        )
    if mask_ratio >= 1:
        raise ParameterError(
            f"mask_ratio={mask_ratio!r}: nothing would be visible; "
            "a number above 0 and below 1 is wanted"
        )
    if n_patches < 2:
        raise ParameterError(
            f"an image of {n_patches} patch cannot be masked in part; take smaller patches"
        )
    kept = n_patches * (1 - Fraction(repr(float(mask_ratio))))
    return min(max(math.ceil(kept - Fraction(1, 2)), 1), n_patches - 1)
