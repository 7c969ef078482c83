"""Planted failures: the surge is where it was asked for, and leaks are asked after as trained."""

import numpy as np
import pytest
import torch
from small_training import CONFIG, make_method, make_recipe, make_source

from survey_tools.errors import ParameterError
from survey_tools.mae.chance import keyed_generator
from survey_tools.mae.inspecting import detect_leaks
from survey_tools.mae.methods import METHODS, build_method
from survey_tools.mae.planted import LeakingMae, Surge, train_recorded

IMAGES = make_source().images.images


def test_a_surge_changes_nothing_before_it() -> None:
    """The losses are the same up to its first step, and others from the step after it on."""
    images, recipe = make_source().images, make_recipe()
    plain = train_recorded(make_method(), images, recipe)
    surging = train_recorded(make_method(), images, recipe, surge=Surge(first=5, factor=30.0))
    assert len(plain.losses) == len(plain.gradient_norms) == recipe.length
    assert np.array_equal(plain.losses[:6], surging.losses[:6])
    assert (plain.losses[6:] != surging.losses[6:]).all()


def test_a_surge_of_factor_1_is_none() -> None:
    """So nothing but the rate is planted."""
    images, recipe = make_source().images, make_recipe()
    plain = train_recorded(make_method(), images, recipe)
    same = train_recorded(make_method(), images, recipe, surge=Surge(first=0, n_steps=10, factor=1))
    assert np.array_equal(plain.losses, same.losses)


@pytest.mark.parametrize("first", [-1, 9])
def test_a_surge_beyond_the_training_is_refused(first: int) -> None:
    """Two steps do not fit from the last of ten on, nor before the first."""
    surge = Surge(first=first, n_steps=2)
    with pytest.raises(ParameterError, match=rf"2 steps from step {first} on .* training of 10"):
        train_recorded(make_method(), make_source().images, make_recipe(), surge=surge)


@pytest.mark.parametrize("name", METHODS)
def test_no_method_leaks_as_it_stands(name: str) -> None:
    """Both tests are exactly 0, for decoders and for linear heads."""
    method = build_method(name, CONFIG, generator=keyed_generator(0))
    found = detect_leaks(method, IMAGES, generator=keyed_generator(1))
    assert [detection.value for detection in found] == [0.0, 0.0]


def test_a_leak_is_found_before_and_after_training() -> None:
    """By both tests; training keeps it, since it serves the loss."""
    method = make_method(kind=LeakingMae)
    for _ in range(2):
        found = detect_leaks(method, IMAGES, generator=keyed_generator(1))
        assert all(detection.is_failure for detection in found)
        train_recorded(method, make_source().images, make_recipe())


def test_a_closed_leak_is_none() -> None:
    """With the map from masked pixels at 0, what is left is a masked autoencoder."""
    method = make_method(kind=LeakingMae)
    with torch.no_grad():
        method.leak.zero_()
    found = detect_leaks(method, IMAGES, generator=keyed_generator(1))
    assert not any(detection.is_failure for detection in found)
    images = torch.from_numpy(IMAGES)
    mask = method.draw_mask(images, generator=keyed_generator(2))
    assert torch.equal(method.predict(images, mask), make_method().predict(images, mask))


def test_predictions_of_visible_patches_are_no_leak() -> None:
    """A method whose loss is on other patches is refused."""
    method = build_method("mae", CONFIG, generator=keyed_generator(0), loss_on="all")
    with pytest.raises(ParameterError, match="loss_on='all': predictions of masked patches alone"):
        detect_leaks(method, IMAGES, generator=keyed_generator(1))
