"""How long work says how far it is: callbacks, and one for nobody."""

from collections.abc import Callable

__all__ = ["CountProgress", "StageProgress", "ignore_progress"]

CountProgress = Callable[[int, int], None]
"""Called as ``progress(n_done, n_all)``."""

StageProgress = Callable[[str, float], None]
"""Called as ``progress(stage, share_of_the_stage_done)``."""


def ignore_progress(*_: object) -> None:
    """Report progress to nobody."""
