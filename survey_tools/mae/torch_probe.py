"""The linear probe by torch: the objective of `survey_tools.mae.probes`, for large features."""

import numpy as np
import torch
from numpy.typing import NDArray

from survey_tools.errors import ParameterError
from survey_tools.mae.probes import FittedProbe

__all__ = ["fit_by_torch"]

_N_ITERATIONS = 5_000  # of L-BFGS; some hundred are usual


def fit_by_torch(
    x: NDArray[np.float64], codes: NDArray[np.intp], penalty: float, tolerance: float
) -> FittedProbe:
    """Minimise the probe's objective by torch's L-BFGS, in float64, on a GPU if there is one.

    Takes and returns what `survey_tools.mae.probes.fit_by_sklearn` does.

    Raises
    ------
    ParameterError
        If the minimum is not found, which a penalty near 0 can cause.

    References
    ----------
    .. [1] Liu and Nocedal, "On the limited memory BFGS method for large scale optimization",
       Mathematical Programming 45 (1989).
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    features = torch.from_numpy(np.ascontiguousarray(x)).to(device)
    classes = torch.from_numpy(codes.astype(np.int64)).to(device)
    n_classes = int(codes.max()) + 1
    n_rows = n_classes if n_classes > 2 else 1  # two classes: the second against 0
    weights = torch.zeros(n_rows, x.shape[1], dtype=torch.float64, device=device)
    intercepts = torch.zeros(n_rows, dtype=torch.float64, device=device)
    parameters = [weights.requires_grad_(), intercepts.requires_grad_()]

    def objective() -> torch.Tensor:
        scores = torch.addmm(intercepts, features, weights.T)  # (n, n_rows)
        if n_rows == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], dim=1)  # (n, 2)
        loss = torch.nn.functional.cross_entropy(scores, classes)
        return loss + penalty / 2.0 * weights.square().sum()

    optimiser = torch.optim.LBFGS(
        parameters,
        max_iter=_N_ITERATIONS,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimiser.zero_grad()
        value = objective()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    closure()
    left = max(float(p.grad.abs().max()) for p in parameters if p.grad is not None)
    # where rounding stops the search, the gradient is this near to 0 all the same
    if left > max(10.0 * tolerance, 1e-6):
        raise ParameterError(
            f"the probe's minimum was not found at penalty {penalty:g} (gradient {left:.1e} left "
            f"after {_N_ITERATIONS} steps); offer greater penalties only"
        )
    return FittedProbe(
        weights=weights.detach().cpu().numpy(), intercepts=intercepts.detach().cpu().numpy()
    )
