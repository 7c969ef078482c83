"""All experiments by name. None of them loads torch before it is run."""

from functools import cache
from importlib import import_module

from survey_tools.claims.experiment import Experiment
from survey_tools.documents import nearest
from survey_tools.errors import ParameterError

__all__ = ["EXPERIMENTS", "find_experiment"]

_MODULES = {
    "operation counts": "operation_counts",
    "measured time": "measured_time",
    "loss gradient": "loss_gradient",
    "redundancy": "redundancy",
    "encoders": "encoders",
    "best ratios": "best_ratios",
    "failures": "failures",
    "held-out papers": "held_out_papers",
    "clusters come back": "clusters_come_back",
}
EXPERIMENTS = tuple(_MODULES)


@cache
def find_experiment(name: str) -> Experiment:
    """Return an experiment by name.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in _MODULES:
        raise ParameterError(f"no experiment {name!r}; {nearest(name, EXPERIMENTS)}")
    module = import_module(f"survey_tools.claims.experiments.{_MODULES[name]}")
    experiment: Experiment = module.EXPERIMENT
    return experiment
