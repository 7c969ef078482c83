"""The error tree. Every error a user can cause derives from SurveyToolsError.

A message says what arrived, what is allowed, and what to do, in one line.
"""

from collections.abc import Iterable

__all__ = ["DataError", "OutputError", "ParameterError", "SurveyToolsError", "abbreviate", "count"]


class SurveyToolsError(Exception):
    """Base of all errors that the data, the settings or the disk can cause."""


class DataError(SurveyToolsError):
    """A file or a record is missing, unreadable, or says something impossible."""


class ParameterError(SurveyToolsError):
    """A setting, or a combination of settings, has no meaning for these data."""


class OutputError(SurveyToolsError):
    """Results cannot be written where they were asked for."""


def count(n: int, noun: str) -> str:
    """Write a number with its noun: ``1 cluster``, ``18 clusters``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def abbreviate(names: Iterable[str], n_shown: int = 5) -> str:
    """Join names for a message, the first few in full: ``a, b, c, … (12 in all)``."""
    names = list(names)
    shown = ", ".join(names[:n_shown])
    return shown if len(names) <= n_shown else f"{shown}, … ({len(names)} in all)"
