"""What a detector of a failure signature says: a number, its threshold, a verdict in words."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Detection", "any_failure", "detect_above", "detect_below"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """The finding of one detector.

    Attributes
    ----------
    detector : str
        For example "effective rank".
    value : float
        What was measured; NaN where it could not be.
    threshold : float
    fails_if : {"above", "below"}
        On which side of the threshold a value is a failure; on it, it is none.
    is_failure : bool
        A value that is NaN is a failure only where the detector says so.
    verdict : str
        In words, with the numbers.
    """

    detector: str
    value: float
    threshold: float
    fails_if: Literal["above", "below"]
    is_failure: bool
    verdict: str


def detect_above(
    detector: str, value: float, threshold: float, *, failure: str, healthy: str
) -> Detection:
    """Judge a value that must not lie above a threshold; NaN does not."""
    return _detect(detector, value, threshold, "above", value > threshold, failure, healthy)


def detect_below(
    detector: str, value: float, threshold: float, *, failure: str, healthy: str
) -> Detection:
    """Judge a value that must not lie below a threshold; NaN does not."""
    return _detect(detector, value, threshold, "below", value < threshold, failure, healthy)


def _detect(
    detector: str,
    value: float,
    threshold: float,
    fails_if: Literal["above", "below"],
    is_failure: bool,
    failure: str,
    healthy: str,
) -> Detection:
    if np.isnan(value):
        numbers = "could not be measured"
    else:
        numbers = f"{value:.4g}, a failure {fails_if} {threshold:.4g}"
    return Detection(
        detector=detector,
        value=float(value),
        threshold=float(threshold),
        fails_if=fails_if,
        is_failure=bool(is_failure),
        verdict=f"{failure if is_failure else healthy} ({detector} {numbers}).",
    )


def any_failure(detections: tuple[Detection, ...]) -> bool:
    """Say whether any of several detectors found a failure."""
    return any(detection.is_failure for detection in detections)
