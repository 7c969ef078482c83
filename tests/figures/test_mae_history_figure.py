"""The history of a pre-training: its lines are the numbers, and axes say what they show."""

import numpy as np
import pytest
from examples import clipped, drawn_texts, overlapping

from survey_tools.errors import ParameterError
from survey_tools.figures.mae_history import TrainingCurves, draw_history, plot_history, smooth


def make_curves(n: int = 200) -> TrainingCurves:
    steps = np.arange(1, n + 1)
    return TrainingCurves(
        title="Pre-training by mae on digits, fp32",
        steps=steps,
        losses=1.0 / steps,
        rates=np.linspace(1e-3, 0.0, n),
        gradient_norms=10.0 / steps,
    )


def test_lines_are_the_numbers() -> None:
    """Each batch pale, its running mean of a fiftieth of the steps dark."""
    curves = make_curves()
    over, rates, norms = draw_history(curves).axes
    pale, dark = over.lines
    np.testing.assert_array_equal(pale.get_ydata(), curves.losses)
    np.testing.assert_allclose(np.asarray(dark.get_ydata())[-1], curves.losses[-4:].mean())
    np.testing.assert_array_equal(rates.lines[0].get_ydata(), curves.rates)
    np.testing.assert_array_equal(norms.lines[0].get_ydata(), curves.gradient_norms)
    assert [ax.get_ylabel() for ax in (over, rates, norms)] == [
        "loss (dark: mean of 4)",
        "learning rate",
        "gradient norm",
    ]
    assert norms.get_xlabel() == "optimiser step (number)"
    assert norms.get_yscale() == "log"


def test_running_mean_by_hand() -> None:
    """Shorter at the start."""
    assert smooth(np.array([2.0, 4.0, 6.0, 0.0]), 3).tolist() == [2.0, 3.0, 4.0, 10.0 / 3.0]


def test_long_trainings_are_thinned_to_first_and_last() -> None:
    """More points than the figure has room for; both ends stay."""
    curves = make_curves(50_000)
    (x, _) = draw_history(curves).axes[0].lines[0].get_data()
    assert len(np.asarray(x)) <= 4000
    assert (np.asarray(x)[0], np.asarray(x)[-1]) == (1, 50_000)


def test_one_step_is_a_dot_and_a_gradient_of_0_a_plain_axis() -> None:
    """A line through one point shows nothing; 0 has no logarithm."""
    one = make_curves(1)
    axes = draw_history(one).axes
    assert all(line.get_marker() == "o" for ax in axes for line in ax.lines)
    still = TrainingCurves(
        title="", steps=one.steps, losses=one.losses, rates=one.rates, gradient_norms=0 * one.losses
    )
    figure = draw_history(still)
    assert figure.axes[2].get_yscale() == "linear"
    for ax in figure.axes:
        ax.clear()
    assert plot_history(still, axes=figure.axes)[2].get_yscale() == "linear"


def test_texts_lie_on_the_page_and_apart() -> None:
    """With a title as long as a path."""
    curves = make_curves()
    figure = draw_history(
        TrainingCurves(
            title="Pre-training by mae on " + "/some/long/folder" * 12,
            steps=curves.steps,
            losses=curves.losses,
            rates=curves.rates,
            gradient_norms=curves.gradient_norms,
        )
    )
    assert clipped(figure) == []
    assert overlapping(drawn_texts(figure)) == []


def test_no_steps_or_too_few_numbers_are_refused() -> None:
    """Said before anything is drawn."""
    curves = make_curves()
    with pytest.raises(ParameterError, match="no step has been done"):
        make_curves(0)
    with pytest.raises(ParameterError, match=r"200 steps, but rates of shape \(199,\)"):
        TrainingCurves(
            title="",
            steps=curves.steps,
            losses=curves.losses,
            rates=curves.rates[1:],
            gradient_norms=curves.gradient_norms,
        )
