"""Reconstructions: what a masked autoencoder makes of test images, to be looked at."""

from survey_tools.claims.experiment import (
    Outcome,
    Parameters,
    PictureGrid,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.experiments.pretraining import draw_images, plan_trial, train_method
from survey_tools.claims.experiments.variants import parse_variant
from survey_tools.mae.image_set import measure_scale, standardise

__all__ = ["plan_reconstruction", "show_reconstruction"]

_METHOD = "mae"
_N_SHOWN = 8  # test images


def plan_reconstruction(data: str, size: Size, seed: int) -> Trial:
    """Return the trial that trains MAE as its other trials do, and shows what it reconstructs."""
    plain = plan_trial(parse_variant(_METHOD), data, size, seed).parameters
    return Trial.of(_KIND, {**plain, "n_shown": _N_SHOWN}, seed)


def show_reconstruction(trial: Trial, outcome: Outcome) -> PictureGrid:
    """Lay out what a trial of `plan_reconstruction` found."""
    model = trial.parameters["model"]
    own = ", with the mean and contrast of the true patches" if model["norm_pix"] else ""
    return PictureGrid(
        title=f"Test images of {trial.parameters['data']}, and what a masked autoencoder makes of "
        f"them{own}",
        row_names=("image", f"{model['mask_ratio']:.0%} masked", "reconstructed"),
        rows=outcome["rows"],
    )


def _run(parameters: Parameters, seed: int) -> Outcome:
    """Train, and let the network reconstruct the first test images."""
    from survey_tools.mae.reconstruction import reconstruct

    train, test = draw_images(parameters, seed)
    scale = measure_scale(train)
    method, _ = train_method(parameters, standardise(train, scale), seed)
    shown = standardise(test.select(slice(0, parameters["n_shown"])), scale)
    pictures = reconstruct(method, shown, scale, seed=seed)
    rows = (pictures.original, pictures.masked, pictures.pasted)
    return {"rows": [(255.0 * row).round().astype(int).tolist() for row in rows]}


_KIND = TrialKind(name="reconstruction", version=1, run=_run, needs_torch=True)
