"""A codebook of patches by k-means: what stands for a learned tokeniser."""

import numpy as np
import torch
from torch import Tensor, nn

from survey_tools.errors import ParameterError

__all__ = ["Codebook"]

_N_FITTED = 20_000  # patches at most: Lloyd's steps take seconds, and the centres settle before
_N_DECIMALS = 3  # flat patches differ by rounding, which makes no cluster
_SEEDS = 2**31 - 1


class Codebook(nn.Module):
    """Centres of clusters of patches; a patch's token is the number of the nearest one.

    It stands for the discrete variational autoencoder of BEiT, which is trained on other data:
    here all that is learned comes from the training images.

    Parameters
    ----------
    n_codes : int
        2 or more.
    n_values : int
        Values of a patch.

    Attributes
    ----------
    centres : Tensor of float32, shape (n_codes, n_values)
        0 until they are fitted or loaded.
    is_fitted : Tensor of bool, shape ()

    Raises
    ------
    ParameterError
        If there are fewer than 2 codes.

    References
    ----------
    .. [1] Bao et al., BEiT: BERT Pre-Training of Image Transformers, arXiv:2106.08254,
       section 2.1, whose visual tokens these replace.
    .. [2] Lloyd, "Least squares quantization in PCM", IEEE Trans. Inform. Theory 28 (1982).
    """

    centres: Tensor
    is_fitted: Tensor

    def __init__(self, n_codes: int, n_values: int) -> None:
        super().__init__()
        if n_codes < 2:
            raise ParameterError(f"n_codes={n_codes!r}: 2 codes or more are wanted")
        self.register_buffer("centres", torch.zeros(n_codes, n_values))
        self.register_buffer("is_fitted", torch.tensor(False))

    def fit(self, patches: Tensor, *, generator: torch.Generator) -> None:
        """Fit the centres: scikit-learn's k-means, k-means++ once, on one thread.

        Parameters
        ----------
        patches : Tensor, shape (n, n_values)
            Of more than 20,000, that many are drawn.
        generator : torch.Generator
            Draws the patches and the seed of k-means.

        Raises
        ------
        ParameterError
            If there are fewer different patches than codes.
        """
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        n_codes, n_values = self.centres.shape
        if patches.ndim != 2 or patches.shape[1] != n_values:
            raise ParameterError(
                f"patches of shape {tuple(patches.shape)} arrived; (n, {n_values}) is wanted"
            )
        drawn = torch.randperm(len(patches), generator=generator, device=generator.device)
        seed = torch.randint(_SEEDS, (1,), generator=generator, device=generator.device)
        chosen = patches[drawn[:_N_FITTED].to(patches.device)]  # (n_chosen, n_values)
        points = chosen.detach().double().cpu().numpy()
        n_different = len(np.unique(points.round(_N_DECIMALS), axis=0))
        if n_different < n_codes:
            raise ParameterError(
                f"n_codes={n_codes}, but of {len(points):,} patches only {n_different:,} are "
                f"different (to {_N_DECIMALS} decimals); give more images or take fewer codes"
            )
        with threadpool_limits(limits=1):  # several threads add up in any order
            model = KMeans(n_codes, n_init=1, random_state=int(seed)).fit(points)
        self.centres.copy_(torch.from_numpy(model.cluster_centers_))
        self.is_fitted.fill_(True)

    @torch.no_grad()
    def assign(self, patches: Tensor) -> Tensor:
        """Return the token of each patch: the nearest centre, of equally near ones the first.

        Always in single precision: under autocast tokens would change.

        Parameters
        ----------
        patches : Tensor, shape (batch, n, n_values)

        Returns
        -------
        Tensor of int64, shape (batch, n)

        Raises
        ------
        ParameterError
            If the centres are not fitted.
        """
        if not bool(self.is_fitted):
            raise ParameterError(
                "the codebook is empty; fit it on training images first (Method.prepare)"
            )
        with torch.autocast(patches.device.type, enabled=False):
            likeness = patches.float() @ self.centres.T  # (batch, n, n_codes)
            # |x - c|^2 without |x|^2, which is the same for all centres
            return (self.centres.square().sum(dim=1) - 2.0 * likeness).argmin(dim=-1)
