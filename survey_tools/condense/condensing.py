"""A file of papers -> micro-clusters: four passes over shards, none of which holds all texts.

1. Texts are read once, split and counted; document frequencies are summed.
2. Counts become weighted rows, the same as `survey_tools.text.build_features` gives.
3. A basis of the reduced space is computed from papers drawn at random, all rows are
   projected, and micro-centres are fitted to the points.
4. Every paper is assigned to its nearest micro-centre, and the rows of each micro-cluster
   are summed exactly, so what is merged later are true centroids of weighted terms.

Peak memory: of every paper its key and numbers (some 250 bytes), of every term ever seen some
150 bytes, ``n_basis_papers`` sparse rows, three points a micro-cluster, and up to twice the sparse
sums; and for each worker a shard. Rows of all papers lie in the scratch folder only (some 2 kB a
paper), and no array has papers times terms entries.
"""

from pathlib import Path

import numpy as np

from survey_tools.condense import scratch
from survey_tools.condense.centres import N_START, fit_basis
from survey_tools.condense.engines import Engine
from survey_tools.condense.passes import Passes
from survey_tools.condense.record import Condensed, PaperSample
from survey_tools.progress import StageProgress
from survey_tools.settings import CondenseSettings, TextSettings

__all__ = ["condense_papers"]


def condense_papers(
    source: Path,
    *,
    text: TextSettings,
    stop_words: frozenset[str],
    condense: CondenseSettings,
    is_scaled: bool,
    rng: np.random.Generator,
    engine: Engine,
    folder: Path,
    progress: StageProgress,
) -> Condensed:
    """Condense a file of papers to micro-clusters.

    The result depends on the order of the papers in the file and on ``n_at_once``, not on the
    engine or its number of workers.

    Parameters
    ----------
    source : Path
        See `survey_tools.condense.stream.stream_papers`.
    is_scaled : bool
        Scale weighted rows to unit length whatever the norm of ``text``.
    rng : numpy.random.Generator
        Source of all chance.
    engine : Engine
        Who computes the shards.
    folder : Path
        An empty scratch folder.
    progress : callable
        Called as ``progress(stage, share_of_the_stage_done)``.

    Raises
    ------
    DataError, ParameterError, OutputError
        If the file, the settings or the disk do not allow it.
    """
    passes = Passes(
        text=text,
        condense=condense,
        is_scaled=is_scaled,
        engine=engine,
        folder=folder,
        progress=progress,
    )
    seed_of_basis, seed_of_centres = (int(seed) for seed in rng.integers(2**31, size=2))
    papers = passes.count(source, stop_words)
    n_papers = len(papers.keys)
    drawn = [
        np.sort(rng.choice(n_papers, min(n, n_papers), replace=False))
        for n in (
            condense.n_basis_papers,
            condense.n_sample,
            N_START * condense.n_micro_clusters,
        )
    ]
    weighed = passes.weigh(papers, drawn[:2])
    progress("basis", 0.0)
    basis = fit_basis(weighed.drawn[0], condense.n_components, seed=seed_of_basis)
    scratch.write_array(folder / "basis", basis)
    start = passes.project(papers, drawn[2])
    centres = passes.fit(papers, start, seed=seed_of_centres)
    scratch.write_array(folder / "centres", centres)
    sample = PaperSample(numbers=drawn[1], rows=weighed.drawn[1])
    return passes.assign(papers, len(centres), squares=weighed.squares, sample=sample)
