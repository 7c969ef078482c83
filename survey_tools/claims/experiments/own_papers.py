"""What experiments on a survey's own papers share."""

import json
from hashlib import sha256
from typing import NoReturn

from survey_tools.errors import ParameterError

__all__ = ["digest_of", "refuse"]


def digest_of(data: object) -> str:
    """Return the sha256 of plain data, in hexadecimal."""
    return sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def refuse(*_: object) -> NoReturn:
    """Stand where an experiment plans and sums up until the papers are known.

    Raises
    ------
    ParameterError
        Always.
    """
    raise ParameterError("this experiment is about a survey's own papers; none were given")
