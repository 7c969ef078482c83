"""Sets of images, and scikit-learn's digits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from survey_tools.errors import DataError, ParameterError
from survey_tools.mae.digits import read_digits
from survey_tools.mae.image_set import ChannelScale, ImageSet, measure_scale, standardise


def build(**changes: object) -> ImageSet:
    """Two images of two channels: the first channel 0 and 2, the second constant."""
    images = np.zeros((2, 2, 1, 2), dtype=np.float32)
    images[1, 0], images[:, 1] = 2.0, 5.0
    parts = {
        "name": "toy",
        "images": images,
        "numbers": np.array([4, 9]),
        "labels": {"kind": np.array([1, 0])},
        "class_names": {"kind": ("a", "b")},
        "quantities": {"x": np.array([0.5, 0.25])},
    }
    return ImageSet(**{**parts, **changes})


def test_scales_are_per_channel_and_a_constant_one_is_centred_only() -> None:
    """Mean 1 and spread 1; mean 5 and no spread."""
    scale = measure_scale(build())
    assert scale == ChannelScale(means=(1.0, 5.0), spreads=(1.0, 1.0))
    done = standardise(build(), scale)
    assert done.images[:, 0].tolist() == [[[-1.0, -1.0]], [[1.0, 1.0]]]
    assert not done.images[:, 1].any()
    assert done.images.dtype == np.float32


def test_selection_keeps_factors_with_their_images() -> None:
    """Numbers, labels and quantities follow."""
    one = build().select(np.array([1]))
    assert one.numbers.tolist() == [9]
    assert one.labels["kind"].tolist() == [0]
    assert one.quantities["x"].tolist() == [0.25]
    assert one.images[0, 0].tolist() == [[2.0, 2.0]]


def test_parts_that_do_not_fit_are_refused() -> None:
    """Naming the part."""
    with pytest.raises(DataError, match=r"toy: 2 images, but kind has the shape \(3,\)"):
        build(labels={"kind": np.zeros(3, dtype=int)})
    with pytest.raises(DataError, match="labels and class names are of different factors"):
        build(labels={})
    with pytest.raises(DataError, match=r"must have the shape .* \(2, 3\) arrived"):
        build(images=np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(ParameterError, match="toy has no classes by 'shape'; there are: kind"):
        build().labels_of("shape")
    with pytest.raises(ParameterError, match="toy has 2 channels, the scale 1"):
        standardise(build(), ChannelScale(means=(0.0,), spreads=(1.0,)))


def test_digits_are_split_without_rest_and_overlap() -> None:
    """Both parts together are scikit-learn's images, each once."""
    parts = [read_digits(split, seed=5) for split in ("train", "test")]
    numbers = np.concatenate([part.numbers for part in parts])
    assert sorted(numbers.tolist()) == list(range(1797))
    pixels, digits = load_digits(return_X_y=True)
    for part in parts:
        np.testing.assert_array_equal(part.images.reshape(-1, 64) * 16.0, pixels[part.numbers])
        np.testing.assert_array_equal(part.labels_of("digit"), digits[part.numbers])


def test_the_split_is_stratified_and_keyed() -> None:
    """Each digit in the same share; the same seed the same split, another seed another."""
    test = read_digits("test", seed=0, test_share=0.2)
    digits = load_digits(return_X_y=True)[1]
    expected = [round(0.2 * n) for n in np.bincount(digits)]
    assert np.bincount(test.labels["digit"]).tolist() == expected
    again, other = (read_digits("test", seed=s, test_share=0.2).numbers for s in (0, 1))
    np.testing.assert_array_equal(test.numbers, again)
    assert len(np.intersect1d(again, other)) < len(again) / 2


def test_shares_that_leave_a_part_empty_are_refused() -> None:
    """And arguments out of range."""
    with pytest.raises(ParameterError, match=r"test_share 0\.001 leaves .* the digit 0 \(178 im"):
        read_digits("test", seed=0, test_share=0.001)
    with pytest.raises(ParameterError, match=r"between 0 and 1; 1\.0 arrived"):
        read_digits("test", seed=0, test_share=1.0)
    with pytest.raises(ParameterError, match="split must be train or test; 'val' arrived"):
        read_digits("val", seed=0)
    with pytest.raises(ParameterError, match="seed must be 0 or more; -1 arrived"):
        read_digits("train", seed=-1)
