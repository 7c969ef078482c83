"""Fixtures shared by all tests: a corpus worked out by hand, builders, the bundled survey."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from survey_tools.corpus import Corpus
from survey_tools.paper import Paper
from survey_tools.partition import Partition
from survey_tools.taxonomy import Assignment, Axis, Label, Taxonomy

if TYPE_CHECKING:
    from survey_tools.results import StudyResult
    from survey_tools.study import Study

# "tests" makes the same examples on every run, so that a red build can be repeated;
# pytest --hypothesis-profile=hunt looks for new ones.
settings.register_profile("tests", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("hunt", deadline=None, max_examples=1000)
settings.load_profile("tests")

CorpusBuilder = Callable[[Mapping[str, str]], Corpus]
PartitionBuilder = Callable[[Mapping[str, str]], Partition]
TaxonomyBuilder = Callable[
    [Mapping[str, Sequence[str]], Mapping[str, Mapping[str, Sequence[str]]]], Taxonomy
]


def build_corpus(title_of: Mapping[str, str]) -> Corpus:
    """Build a corpus of papers that have a key and a title, in the given order."""
    return Corpus(tuple(Paper(key=key, title=title) for key, title in title_of.items()))


def build_taxonomy(
    labels_of: Mapping[str, Sequence[str]],
    filed: Mapping[str, Mapping[str, Sequence[str]]],
) -> Taxonomy:
    """Build a taxonomy from axis -> labels and paper -> axis -> labels carried."""
    axes = tuple(
        Axis(
            name=axis,
            title=axis.title(),
            description="",
            otherwise="other",
            labels=tuple(
                Label(name=label, title=label, description="", parent=None) for label in labels
            ),
        )
        for axis, labels in labels_of.items()
    )
    assignments = tuple(
        Assignment(paper_key=key, axis=axis, label=label, evidence="", annotator=None)
        for key, by_axis in filed.items()
        for axis, labels in by_axis.items()
        for label in labels
    )
    return Taxonomy(title="", axes=axes, filed_keys=tuple(filed), assignments=assignments)


@pytest.fixture(scope="session")
def make_corpus() -> CorpusBuilder:
    """Builder of a corpus from key -> title."""
    return build_corpus


@pytest.fixture(scope="session")
def make_partition() -> PartitionBuilder:
    """Builder of a partition from key -> group."""
    return Partition.from_mapping


@pytest.fixture(scope="session")
def make_taxonomy() -> TaxonomyBuilder:
    """Builder of a taxonomy from axis -> labels and paper -> axis -> labels carried."""
    return build_taxonomy


@pytest.fixture(scope="session")
def six_papers() -> Corpus:
    """Six papers in three obvious pairs, in an order that is not the order of their keys.

    Each pair has one word of its own, so with raw counts the papers are points on the
    three axes of a room: p1 and p2 at 4 and 5 pixels, t1 and t2 at 4 and 6 tokens, v1
    and v2 at 8 and 11 videos. Distances inside the pairs are 1, 2 and 3; the city-block
    distance of papers of different pairs is the sum of their counts.
    """
    counts = {
        "v2": ("video", 11),
        "p1": ("pixel", 4),
        "t2": ("token", 6),
        "v1": ("video", 8),
        "t1": ("token", 4),
        "p2": ("pixel", 5),
    }
    return build_corpus({key: " ".join([word] * n) for key, (word, n) in counts.items()})


@pytest.fixture(scope="session")
def mim_study() -> "Study":
    """Read the bundled survey from data/mim."""
    from survey_tools.study import bundled_survey, read_study

    return read_study(bundled_survey())


@pytest.fixture(scope="session")
def mim_corpus(mim_study: "Study") -> Corpus:
    """Papers of the bundled survey."""
    return mim_study.corpus


@pytest.fixture(scope="session")
def mim_result(mim_study: "Study") -> "StudyResult":
    """Analyse the bundled survey with few relabellings, to keep the tests fast."""
    from survey_tools.analysis import analyse
    from survey_tools.study import read_study

    few = {"crosscheck.n_permutations": 200, "crosscheck.n_resamples": 200}
    return analyse(read_study(mim_study.folder, few))
