"""What is computed of one shard: counts, weighted rows, points, and who is nearest to whom.

Every task reads what it needs from the scratch folder, depends on its shard alone and removes
nothing, so any process may run it, and run it again where another has died. Files are named by
what they hold and the number of the shard.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import normalize

from survey_tools.condense import scratch
from survey_tools.condense.centres import Points, find_nearest, project_rows
from survey_tools.condense.vocabulary import weight_rows
from survey_tools.corpus import Corpus
from survey_tools.errors import ParameterError
from survey_tools.paper import Paper, TextSource
from survey_tools.settings import TextSettings
from survey_tools.text import count_terms, text_source, tokenise

__all__ = [
    "AssignTask",
    "Assigned",
    "CountTask",
    "Counted",
    "ProjectTask",
    "WeighTask",
    "Weighed",
    "shard_file",
]


def shard_file(folder: Path, what: str, number: int) -> Path:
    """Name a file of a shard in the scratch folder."""
    return folder / f"{what}-{number:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the count of a shard says to the vocabulary; arrays in the order of ``terms``."""

    paper_keys: tuple[str, ...]
    text_sources: Counter[TextSource]
    terms: tuple[str, ...]
    document_frequency: NDArray[np.int64]
    total: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTask:
    """Split and count the texts of a shard; keeps counts and titles in the scratch folder."""

    folder: Path
    settings: TextSettings
    stop_words: frozenset[str]

    def __call__(self, item: tuple[int, tuple[Paper, ...]]) -> Counted:
        """Count shard ``item[0]``, which holds the papers ``item[1]``."""
        number, papers = item
        tokens = tokenise(Corpus(papers), self.settings, self.stop_words)
        terms: tuple[str, ...] = ()
        matrix = sparse.csr_array((len(papers), 0), dtype=np.int64)
        try:
            counts = count_terms(tokens, self.settings)
        except ParameterError:  # no term in this shard; the corpus may have some
            pass
        else:
            terms, matrix = tuple(counts.terms), counts.matrix
        scratch.write_rows(shard_file(self.folder, "counts", number), matrix)
        scratch.write_texts(
            shard_file(self.folder, "titles", number), [paper.title for paper in papers]
        )
        sources = Counter(text_source(paper, self.settings.fields) for paper in papers)
        return Counted(
            paper_keys=tokens.paper_keys,
            text_sources=sources,
            terms=terms,
            document_frequency=np.bincount(matrix.indices, minlength=len(terms)).astype(np.int64),
            total=np.asarray(matrix.sum(axis=0), dtype=np.int64).ravel(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What the weighing of a shard says.

    Attributes
    ----------
    bare : ndarray of int
        Places in the shard of papers without any term.
    squares : float
        Sum of all squared weights.
    drawn : tuple of csr_array
        The rows at each of the asked groups of places.
    """

    bare: NDArray[np.intp]
    squares: float
    drawn: tuple[sparse.csr_array, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighTask:
    """Turn the counts of a shard into weighted rows of the whole vocabulary.

    Attributes
    ----------
    is_scaled : bool
        Scale rows to unit length whatever the norm of the settings (cosine asks for it).
    """

    folder: Path
    settings: TextSettings
    n_papers: int
    mean_length: float
    is_scaled: bool

    def __call__(self, item: tuple[int, tuple[NDArray[np.intp], ...]]) -> Weighed:
        """Weigh shard ``item[0]`` and return its rows at the groups of places ``item[1]``."""
        number, groups = item
        frequency = scratch.read_array(self.folder / "frequency").astype(np.int64)
        column_of = scratch.read_array(self.folder / "columns").astype(np.int32)
        numbers = scratch.read_array(shard_file(self.folder, "numbers", number))
        counts = _place_columns(
            scratch.read_rows(shard_file(self.folder, "counts", number)),
            column_of[numbers.astype(np.int32)],
            n_terms=len(frequency),
        )
        rows = weight_rows(
            counts,
            frequency,
            n_papers=self.n_papers,
            mean_length=self.mean_length,
            settings=self.settings,
        )
        if self.is_scaled:
            rows = sparse.csr_array(normalize(rows, copy=False))
        scratch.write_rows(shard_file(self.folder, "rows", number), rows)
        return Weighed(
            bare=np.flatnonzero(np.diff(rows.indptr) == 0),
            squares=float(rows.data @ rows.data),
            drawn=tuple(sparse.csr_array(rows[places]) for places in groups),
        )


def _place_columns(
    counts: sparse.csr_array, column_of: NDArray[np.int32], *, n_terms: int
) -> sparse.csr_array:
    """Give a shard's own terms their columns in the whole vocabulary; -1 drops a term."""
    counts.sort_indices()
    columns = column_of[counts.indices]
    stays = columns >= 0
    n_before = np.concatenate([[0], np.cumsum(stays)])
    return sparse.csr_array(
        (counts.data[stays], columns[stays], n_before[counts.indptr].astype(np.int32)),
        shape=(counts.shape[0], n_terms),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTask:
    """Project the rows of a shard on the basis; keeps the points in the scratch folder."""

    folder: Path
    is_unit: bool

    def __call__(self, item: tuple[int, NDArray[np.intp]]) -> Points:
        """Project shard ``item[0]`` and return its points at the places ``item[1]``."""
        number, places = item
        basis = np.asarray(scratch.read_array(self.folder / "basis"), dtype=np.float32)
        rows = scratch.read_rows(shard_file(self.folder, "rows", number))
        points = project_rows(rows, basis, is_unit=self.is_unit)
        scratch.write_array(shard_file(self.folder, "points", number), points)
        return points[places]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Where the papers of a shard belong.

    Attributes
    ----------
    centre_of : ndarray of int32, shape (n_rows,)
        Nearest micro-centre.
    sums : csr_array of float64, shape (n_centres, n_terms)
        Sum of the rows of each centre's papers in this shard.
    found : ndarray of int, shape (n_found,)
        Centres that have papers here.
    central, distances : ndarray, shape (n_found,)
        Place in the shard of the paper nearest to each of them, and its squared distance in
        the reduced space.
    """

    centre_of: NDArray[np.int32]
    sums: sparse.csr_array
    found: NDArray[np.intp]
    central: NDArray[np.intp]
    distances: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignTask:
    """Assign the papers of a shard to their nearest micro-centres and sum their rows."""

    folder: Path

    def __call__(self, number: int) -> Assigned:
        """Assign shard ``number``."""
        centres = np.asarray(scratch.read_array(self.folder / "centres"), dtype=np.float32)
        points_file = shard_file(self.folder, "points", number)
        points = np.asarray(scratch.read_array(points_file), dtype=np.float32)
        rows = scratch.read_rows(shard_file(self.folder, "rows", number))
        centre_of, distances = find_nearest(points, centres)
        n_rows = len(points)
        membership = sparse.csr_array(
            (np.ones(n_rows), (centre_of, np.arange(n_rows))), shape=(len(centres), n_rows)
        )
        sums = sparse.csr_array(membership @ rows)
        sums.sort_indices()
        by_distance = np.lexsort((np.arange(n_rows), distances, centre_of))
        found, first = np.unique(centre_of[by_distance], return_index=True)
        central = by_distance[first]
        return Assigned(
            centre_of=centre_of,
            sums=sums,
            found=found.astype(np.intp),
            central=central,
            distances=distances[central],
        )
