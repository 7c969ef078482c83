"""Information leakage: a prediction of masked patches that has seen them.

Two exact tests ask the network itself: the gradient of predictions at masked patches with
respect to the pixels there, and what happens when the masked content is swapped for another.
Both must be 0, not small. A third only raises suspicion: a masked loss too low to be true.
"""

from collections.abc import Callable

import torch

from survey_tools.errors import ParameterError
from survey_tools.mae.detectors import Detection, detect_above

__all__ = ["Predict", "detect_gradient_leak", "detect_swap_leak"]

Predict = Callable[[torch.Tensor], torch.Tensor]
"""From patches of shape (batch, n_patches, patch_dim) to predictions (batch, n_patches, any).

Which patches are masked is fixed inside, and must be what ``is_masked`` says; so is dropout.
"""


def detect_gradient_leak(
    predict: Predict,
    patches: torch.Tensor,
    is_masked: torch.Tensor,
    *,
    generator: torch.Generator,
) -> Detection:
    """Measure the gradient of predictions at masked patches w.r.t. the masked pixels.

    All outputs at masked patches are added up with random weights, so that no two influences
    cancel; a gradient of exactly 0 then says that no masked patch reaches the prediction of
    itself or of another masked patch. NaN counts as a leak, since it is not 0.

    Parameters
    ----------
    predict : callable
        See `Predict`.
    patches : Tensor of float, shape (batch, n_patches, patch_dim)
        Content of all patches, the masked ones as well.
    is_masked : Tensor of bool, shape (batch, n_patches)
    generator : torch.Generator
        Of the weights; on the CPU.

    Returns
    -------
    Detection
        The greatest absolute entry of the gradient; a failure above 0.

    Raises
    ------
    ParameterError
        If the shapes do not fit, nothing or everything is masked, or the predictions do not
        depend on the visible patches: then there is nothing to test.

    References
    ----------
    .. [1] Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks",
       arXiv:1312.6034, section 3 (gradients as influence).
    """
    _check(patches, is_masked)
    pixels = patches.detach().clone().requires_grad_()
    predictions = _predict(predict, pixels, is_masked)
    at_masked = predictions[is_masked]  # (n_masked_in_batch, out_dim)
    weights = torch.randn(at_masked.shape, generator=generator).to(at_masked)
    if not at_masked.requires_grad:
        raise ParameterError("predictions carry no gradient; call predict without no_grad")
    (gradient,) = torch.autograd.grad((at_masked * weights).sum(), pixels, allow_unused=True)
    if gradient is None or not (gradient[~is_masked] != 0).any():
        raise ParameterError(
            "predictions at masked patches do not depend on any visible patch; give the network "
            "that was trained, and the patches it predicts from"
        )
    size = float(gradient[is_masked].abs().nan_to_num(nan=torch.inf).max())
    return detect_above(
        "gradient at masked pixels",
        size,
        0.0,
        failure="Predictions of masked patches depend on masked pixels",
        healthy="Predictions of masked patches do not depend on masked pixels",
    )


def detect_swap_leak(predict: Predict, patches: torch.Tensor, is_masked: torch.Tensor) -> Detection:
    """Swap the masked content of each image for that of the next, and compare all predictions.

    Unlike the gradient this also sees influence through steps without one, such as rounding,
    a nearest codebook entry or a detached copy.

    Parameters
    ----------
    predict, patches, is_masked
        See `detect_gradient_leak`; of two images or more, which differ in masked patches.

    Returns
    -------
    Detection
        The greatest absolute difference of a prediction; a failure above 0.

    Raises
    ------
    ParameterError
        If the shapes do not fit, the swap would change nothing, or two calls with the same
        patches differ.

    References
    ----------
    .. [1] Pearl, Causality, 2nd edition 2009, section 7.1 (an effect is what an intervention
       changes).
    """
    _check(patches, is_masked)
    other = patches.roll(1, dims=0)
    swapped = torch.where(is_masked[:, :, None], other, patches)  # (batch, n_patches, patch_dim)
    if torch.equal(swapped, patches):
        raise ParameterError(
            "the masked content is the same in every image, so that a swap changes nothing; give "
            "two different images or more"
        )
    with torch.no_grad():
        before = _predict(predict, patches, is_masked)
        if not torch.equal(before, _predict(predict, patches, is_masked)):
            raise ParameterError(
                "two predictions from the same patches differ (or are NaN); fix the mask, and "
                "switch dropout off by eval()"
            )
        after = _predict(predict, swapped, is_masked)
    change = float((after - before).abs().nan_to_num(nan=torch.inf).max())
    return detect_above(
        "change by swapping masked content",
        change,
        0.0,
        failure="Other masked content changes the prediction",
        healthy="Other masked content changes nothing",
    )


def _predict(predict: Predict, patches: torch.Tensor, is_masked: torch.Tensor) -> torch.Tensor:
    predictions = predict(patches)
    if predictions.ndim != 3 or predictions.shape[:2] != is_masked.shape:
        raise ParameterError(
            f"predictions must be of shape {(*is_masked.shape, 'any')}; "
            f"{tuple(predictions.shape)} arrived"
        )
    return predictions


def _check(patches: torch.Tensor, is_masked: torch.Tensor) -> None:
    if patches.ndim != 3 or is_masked.shape != patches.shape[:2] or is_masked.dtype != torch.bool:
        raise ParameterError(
            "patches must be of shape (batch, n_patches, patch_dim), is_masked of shape (batch, "
            f"n_patches) and bool; {tuple(patches.shape)}, and {tuple(is_masked.shape)} of "
            f"{is_masked.dtype} arrived"
        )
    if not is_masked.any() or is_masked.all():
        raise ParameterError("some patches must be masked and some visible")
