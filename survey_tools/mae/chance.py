"""Generators keyed by what they are for: a resumed run draws what an uninterrupted one would."""

import numpy as np
import torch

__all__ = ["FIRST_WEIGHTS", "MASKS", "MIXING", "PREPARING", "keyed_generator"]

# What a generator is for: the second part of its key, after the seed
FIRST_WEIGHTS, PREPARING, MASKS, MIXING = 1, 2, 3, 4


def keyed_generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Build a generator from whole numbers of 0 or more: seed, purpose, step, rank and the like.

    The key is hashed by numpy's ``SeedSequence``, so that neighbouring keys give streams that
    have nothing in common; zeros at its end do not count, (5, 3) is (5, 3, 0). On a GPU other
    numbers come out than on a CPU.
    """
    (state,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(state))
