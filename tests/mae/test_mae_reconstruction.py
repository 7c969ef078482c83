"""Reconstructions for figures: visible patches stay, masked ones are predicted."""

import numpy as np
import pytest
from small_training import CONFIG, make_source

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import FIRST_WEIGHTS, keyed_generator
from survey_tools.mae.image_set import measure_scale
from survey_tools.mae.methods import build_method
from survey_tools.mae.reconstruction import reconstruct

IMAGES = make_source(5).images


@pytest.mark.parametrize("name", ["mae", "simmim"])
def test_visible_patches_stay_and_masked_ones_are_covered(name: str) -> None:
    """Of 16 patches 4 are as they were, in both pictures; the network is left as it came."""
    method = build_method(name, CONFIG, generator=keyed_generator(0, FIRST_WEIGHTS)).train()
    found = reconstruct(method, IMAGES, measure_scale(IMAGES), seed=0)
    assert method.training
    assert found.original.shape == (5, 8, 8, 1)
    is_seen = (found.masked == found.original).all(axis=3)
    assert (is_seen.sum(axis=(1, 2)) >= 16).all()
    np.testing.assert_array_equal(found.pasted[is_seen], found.original[is_seen])
    assert np.unique(found.masked[~is_seen]).tolist() == [np.float32(0.8)]
    again = reconstruct(method, IMAGES, measure_scale(IMAGES), seed=0)
    np.testing.assert_array_equal(again.pasted, found.pasted)


@pytest.mark.parametrize(
    ("name", "options"),
    [("maskfeat", {}), ("mae", {"target": "hog"}), ("mae", {"loss_on": "visible"})],
)
def test_a_method_without_masked_pixels_is_refused(name: str, options: dict[str, str]) -> None:
    """It predicts something that is no picture."""
    method = build_method(name, CONFIG, generator=keyed_generator(0, FIRST_WEIGHTS), **options)
    with pytest.raises(ParameterError, match="predicts no masked pixels; take mae or simmim"):
        reconstruct(method, IMAGES, measure_scale(IMAGES), seed=0)
