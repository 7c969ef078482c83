"""Small generated corpora: papers of several subjects, each with words of its own."""

import json
from pathlib import Path

import numpy as np

from survey_tools.condense.condensing import condense_papers
from survey_tools.condense.engines import EngineChoice, open_engine
from survey_tools.condense.record import Condensed
from survey_tools.condense.scratch import open_scratch
from survey_tools.corpus import Corpus
from survey_tools.formats.files import write_references
from survey_tools.paper import Paper
from survey_tools.settings import CondenseSettings, TextSettings


def make_papers(n_papers: int, *, n_subjects: int = 4, seed: int = 0) -> tuple[Paper, ...]:
    """Write papers whose key says the subject; common words stand in all of them."""
    rng = np.random.default_rng(seed)
    papers = []
    for i in range(n_papers):
        subject = i % n_subjects
        own = [f"subject{subject}word{j}" for j in rng.integers(12, size=12)]
        common = [f"common{j}" for j in rng.integers(30, size=6)]
        words = rng.permutation([*own, *common])
        papers.append(
            Paper(
                key=f"s{subject}-{i:04d}",
                title=" ".join(words[:4]),
                abstract=" ".join(words[4:]),
            )
        )
    return tuple(papers)


def write_papers_to(path: Path, papers: tuple[Paper, ...]) -> Path:
    write_references(Corpus(papers), path)
    return path


def condense_file(
    source: Path,
    *,
    choice: EngineChoice | None = None,
    text: TextSettings | None = None,
    is_scaled: bool = False,
    seed: int = 0,
    **settings: object,
) -> Condensed:
    given = {"n_micro_clusters": 8, "n_components": 8, "n_at_once": 30, "n_sample": 50, **settings}
    condense = CondenseSettings.model_validate(given)
    with open_scratch() as folder, open_engine(choice or EngineChoice()) as engine:
        return condense_papers(
            source,
            text=text or TextSettings(stop_words="none"),
            stop_words=frozenset(),
            condense=condense,
            is_scaled=is_scaled,
            rng=np.random.default_rng(seed),
            engine=engine,
            folder=folder,
            progress=_silent,
        )


def _silent(stage: str, share: float) -> None:
    """Report progress to nobody."""


def content_of(condensed: Condensed) -> bytes:
    """All numbers and names of a result, to be compared byte for byte."""
    centroids = condensed.centroids
    arrays = (
        condensed.micro_cluster_of,
        condensed.n_papers,
        centroids.data,
        centroids.indices,
        centroids.indptr,
        condensed.sample.numbers,
        condensed.sample.rows.data,
    )
    names = (condensed.paper_keys, condensed.central_keys, condensed.central_titles)
    words = json.dumps([*names, list(condensed.terms), condensed.variance_lost])
    return b"".join(array.tobytes() for array in arrays) + words.encode()
