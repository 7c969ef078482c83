"""The codebook: found clusters, tokens by hand, chance, precision, state, errors."""

import pytest
import torch
from sklearn.metrics import pairwise_distances_argmin

from survey_tools.errors import ParameterError
from survey_tools.mae.codebook import Codebook


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fitted(n_codes: int = 8, seed: int = 0) -> tuple[Codebook, torch.Tensor]:
    """Fit a codebook on normal patches of 5 values."""
    patches = torch.randn(300, 5, generator=generator(9))
    codebook = Codebook(n_codes, 5)
    codebook.fit(patches, generator=generator(seed))
    return codebook, patches


def test_separate_clusters_are_found() -> None:
    """The centres of three heaps far apart are their means."""
    heaps = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    noise = torch.randn(3, 50, 2, generator=generator()) * 0.1
    patches = heaps[:, None] + noise
    codebook = Codebook(3, 2)
    codebook.fit(patches.flatten(0, 1), generator=generator())
    order = codebook.assign(heaps[None])[0]
    assert sorted(order.tolist()) == [0, 1, 2]
    torch.testing.assert_close(codebook.centres[order], patches.mean(dim=1), atol=1e-5, rtol=0.0)


def test_tokens_by_hand() -> None:
    """A patch gets the nearest centre, in the middle between two the first one."""
    codebook = Codebook(3, 1)
    codebook.centres.copy_(torch.tensor([[0.0], [2.0], [10.0]]))
    codebook.is_fitted.fill_(True)
    patches = torch.tensor(
        [[[-5.0], [0.9], [1.0], [1.1], [6.1]], [[9.0], [2.0], [6.0], [5.9], [0]]]
    )
    assert codebook.assign(patches).tolist() == [[0, 0, 0, 1, 2], [2, 1, 1, 1, 0]]


def test_tokens_equal_those_of_scikit_learn() -> None:
    """The nearest centre is the one scikit-learn finds, and every code is in use."""
    codebook, patches = fitted()
    tokens = codebook.assign(patches[None])[0]
    nearest = pairwise_distances_argmin(patches.double(), codebook.centres.double())
    assert tokens.tolist() == nearest.tolist()
    assert sorted(set(tokens.tolist())) == list(range(8))


def test_chance_comes_from_the_generator_alone() -> None:
    """Equal generators give equal centres whatever the global chance; others give others."""
    first, _ = fitted()
    torch.manual_seed(123)
    again, _ = fitted()
    other, _ = fitted(seed=1)
    assert torch.equal(first.centres, again.centres)
    assert not torch.equal(first.centres, other.centres)


def test_many_patches_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a limit only a sample of the patches is fitted, drawn by the generator."""
    monkeypatch.setattr("survey_tools.mae.codebook._N_FITTED", 2)
    codebook = Codebook(2, 1)
    codebook.fit(torch.arange(100.0)[:, None], generator=generator(3))
    drawn = torch.randperm(100, generator=generator(3))[:2]
    assert sorted(codebook.centres.flatten().tolist()) == sorted(drawn.tolist())


def test_autocast_changes_no_token() -> None:
    """Tokens are told in single precision also where half precision is the rule."""
    codebook, _ = fitted(n_codes=64)
    patches = torch.randn(4, 200, 5, generator=generator(1))
    plain = codebook.assign(patches)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(codebook.assign(patches), plain)


def test_state_brings_the_codebook_back() -> None:
    """A new codebook with the saved state gives the same tokens without being fitted."""
    codebook, patches = fitted()
    other = Codebook(8, 5)
    other.load_state_dict(codebook.state_dict())
    assert torch.equal(other.assign(patches[None]), codebook.assign(patches[None]))


def test_an_empty_codebook_is_refused() -> None:
    """Tokens of a codebook that was not fitted would all be 0."""
    with pytest.raises(ParameterError, match=r"codebook is empty; fit it .*Method\.prepare"):
        Codebook(4, 2).assign(torch.zeros(1, 1, 2))


def test_bad_input_is_refused() -> None:
    """One code, patches of another size, and fewer different patches than codes."""
    with pytest.raises(ParameterError, match="n_codes=1: 2 codes"):
        Codebook(1, 2)
    with pytest.raises(ParameterError, match=r"shape \(4, 3\) arrived; \(n, 2\)"):
        Codebook(4, 2).fit(torch.zeros(4, 3), generator=generator())
    patches = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1e-7], [0.0, 0.0]])
    with pytest.raises(ParameterError, match="n_codes=4, but of 4 patches only 2 are different"):
        Codebook(4, 2).fit(patches, generator=generator())
