"""What experiments on a survey's own papers share."""

from typing import NoReturn

from survey_tools.errors import ParameterError

__all__ = ["refuse"]


def refuse(*_: object) -> NoReturn:
    """Stand where an experiment plans and sums up until the papers are known.

    Raises
    ------
    ParameterError
        Always.
    """
    raise ParameterError("this experiment is about a survey's own papers; none were given")
