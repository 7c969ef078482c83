"""What condensing cost: condensed and exact clusters of the same papers, with a yardstick."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survey_tools.agreement.index import Agreement
from survey_tools.agreement.partitions import compare_partitions
from survey_tools.condense.merging import cluster_exactly, cluster_sample
from survey_tools.condense.record import Condensed
from survey_tools.errors import count
from survey_tools.partition import Partition
from survey_tools.settings import SurveySettings

__all__ = ["CondensingCheck", "agreement_table", "check_condensing", "describe_check"]

_N_LEAST = 4  # papers of which a half can still be clustered

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CondensingCheck:
    """How far condensed clusters agree with exact ones on papers drawn at random.

    Attributes
    ----------
    condensed : Agreement
        Clusters of the condensed tree against those of an exact tree of the sample alone.
    halved : Agreement
        The yardstick: clusters of an exact tree of a random half of the sample against those of
        the exact tree of the whole sample, on that half; values only.
    """

    condensed: Agreement
    halved: Agreement


def check_condensing(
    condensed: Condensed,
    partition: Partition,
    settings: SurveySettings,
    *,
    rng: np.random.Generator,
    n_threads: int = 1,
    progress: Progress,
) -> CondensingCheck | None:
    """Compare the condensed clusters with exact ones on the sample.

    Parameters
    ----------
    partition : Partition
        Micro-clusters in clusters, in the order of ``condensed.names``.
    rng : numpy.random.Generator
        Source of the half, of relabellings and of half-samples.
    progress : callable
        Called with the share done.

    Returns
    -------
    CondensingCheck or None
        None if the sample has fewer than four papers.
    """
    numbers = np.arange(len(condensed.sample.numbers))
    if len(numbers) < _N_LEAST:
        return None
    clustering, n_clusters = settings.clustering, partition.n_groups

    def cluster(places: NDArray[np.intp], start: float, share: float) -> Partition:
        return cluster_exactly(
            condensed,
            places,
            n_clusters,
            clustering,
            n_threads=n_threads,
            progress=lambda n_done, n_all: progress(start + share * n_done / n_all),
        )

    half = np.sort(rng.choice(numbers, len(numbers) // 2, replace=False))
    exact = cluster(numbers, 0.0, 0.6)
    exact_half = cluster(half, 0.6, 0.2)
    agreement = compare_partitions(
        cluster_sample(condensed, partition),
        exact,
        rng=rng,
        n_permutations=settings.crosscheck.n_permutations,
        n_resamples=settings.crosscheck.n_resamples,
        confidence=settings.crosscheck.confidence,
    )
    whole = exact.restrict(exact_half.paper_keys)
    halved = compare_partitions(exact_half, whole, rng=rng, n_permutations=0, n_resamples=0)
    return CondensingCheck(condensed=agreement, halved=halved)


def describe_check(check: CondensingCheck) -> str:
    """Say what the agreement on the sample is, what it means and what it does not."""
    agreement, halved = check.condensed, check.halved
    ari = agreement.index("ARI")
    interval = ""
    if ari.low is not None and ari.high is not None:
        interval = f" ({100 * agreement.confidence:.10g}% interval {ari.low:.2f} to {ari.high:.2f})"
    return (
        f"On {agreement.n_papers:,} papers drawn at random, the condensed tree's "
        f"{count(agreement.n_clusters, 'cluster')} and {count(agreement.n_classes, 'cluster')} of "
        "an exact tree of these papers alone (same terms, weights and linkage) agree with an "
        f"adjusted Rand index of {ari.value:.2f}{interval} and adjusted mutual information of "
        f"{agreement.index('AMI').value:.2f}; 1 is equality, 0 what chance gives. The yardstick: "
        "an exact tree of a random half of them, nothing condensed, agrees with the exact tree of "
        f"all of them with {halved.index('ARI').value:.2f} and {halved.index('AMI').value:.2f}. "
        "Where the first pair of numbers is near the second, condensing cost no more than other "
        "papers would have; where it is far below, ask for more micro-clusters; where both are "
        "low, a cut into so many clusters is not stable, condensed or exact. The numbers hold for "
        "this cut only and do not say whether either tree's clusters are good."
    )


def agreement_table(check: CondensingCheck) -> pd.DataFrame:
    """One row an index: value, chance, p-value, interval, and the value of the yardstick."""
    agreement = check.condensed
    rows = [
        {
            "index": index.name,
            "value": index.value,
            "chance": index.chance,
            "p_value": index.p_value,
            "low": index.low,
            "high": index.high,
            "value_exact_half": check.halved.index(index.name).value,
            "n_clusters_condensed": agreement.n_clusters,
            "n_clusters_exact": agreement.n_classes,
            "n_papers": agreement.n_papers,
        }
        for index in agreement.indices
    ]
    return pd.DataFrame(rows)
