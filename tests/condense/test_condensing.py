"""A file of papers becomes micro-clusters: sums are exact, nothing is lost, faults are told."""

from pathlib import Path

import numpy as np
import pytest
from condense_examples import condense_file, content_of, make_papers, write_papers_to

from survey_tools.condense.engines import EngineChoice
from survey_tools.condense.record import Condensed
from survey_tools.errors import OutputError, ParameterError
from survey_tools.paper import Paper
from survey_tools.settings import TextSettings

PAPERS = make_papers(100)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_papers_to(tmp_path_factory.mktemp("condensing") / "p.jsonl", PAPERS)


@pytest.fixture(scope="module")
def condensed(source: Path) -> Condensed:
    """Condense 100 papers; the sample is all of them, so all rows are at hand."""
    return condense_file(source, n_sample=100)


def test_every_paper_has_a_micro_cluster_and_none_is_empty(condensed: Condensed) -> None:
    """Keys stand in the order of the file; sizes add up."""
    assert condensed.paper_keys == tuple(paper.key for paper in PAPERS)
    assert condensed.n_papers.sum() == 100
    assert condensed.n_papers.min() >= 1
    assert np.array_equal(np.bincount(condensed.micro_cluster_of), condensed.n_papers)


def test_micro_clusters_stand_in_the_order_of_their_first_papers(condensed: Condensed) -> None:
    """So their names do not hang on the order of centres."""
    _, first = np.unique(condensed.micro_cluster_of, return_index=True)
    assert np.array_equal(first, np.sort(first))
    assert condensed.names[:2] == ("M1", "M2")


def test_centroids_are_the_means_of_the_full_rows(condensed: Condensed) -> None:
    """Of all terms, not of the reduced space."""
    rows = condensed.sample.rows.toarray()
    for code, centroid in enumerate(condensed.centroids.toarray()):
        members = rows[condensed.micro_cluster_of == code]
        np.testing.assert_allclose(centroid, members.mean(axis=0), atol=1e-14)


def test_the_lost_variance_is_the_squares_inside_over_all_squares(condensed: Condensed) -> None:
    """Worked from the rows themselves."""
    rows = condensed.sample.rows.toarray()
    inside = rows - condensed.centroids.toarray()[condensed.micro_cluster_of]
    around = rows - rows.mean(axis=0)
    expected = (inside**2).sum() / (around**2).sum()
    assert condensed.variance_lost == pytest.approx(expected, abs=1e-12)
    assert 0 < expected < 1


def test_subjects_are_not_mixed_in_a_micro_cluster(condensed: Condensed) -> None:
    """Four subjects with words of their own, eight micro-clusters."""
    subjects = np.array([key[:2] for key in condensed.paper_keys])
    for code in range(len(condensed.n_papers)):
        assert len(set(subjects[condensed.micro_cluster_of == code])) == 1


def test_the_central_paper_belongs_to_its_micro_cluster(condensed: Condensed) -> None:
    """And has its own title."""
    titles = {paper.key: paper.title for paper in PAPERS}
    for code, (key, title) in enumerate(
        zip(condensed.central_keys, condensed.central_titles, strict=True)
    ):
        assert condensed.micro_cluster_of[condensed.paper_keys.index(key)] == code
        assert titles[key] == title


def test_as_many_micro_clusters_as_different_papers_lose_nothing(tmp_path: Path) -> None:
    """Centroids then are the papers' own rows; copies share one, empty centres vanish."""
    twice = [
        *PAPERS[:12],
        *(Paper(key=f"copy-{p.key}", title=p.title, abstract=p.abstract) for p in PAPERS[:12]),
    ]
    source = write_papers_to(tmp_path / "p.jsonl", tuple(twice))
    condensed = condense_file(source, n_micro_clusters=24, n_components=100, n_at_once=7)
    assert condensed.n_papers.tolist() == [2] * 12
    assert condensed.variance_lost == pytest.approx(0, abs=1e-12)


def test_copies_of_one_text_lose_no_variance(tmp_path: Path) -> None:
    """There is none; the share is 0 and not 0 / 0."""
    copies = tuple(Paper(key=f"k{i}", title="same words here") for i in range(6))
    condensed = condense_file(write_papers_to(tmp_path / "p.jsonl", copies), n_micro_clusters=2)
    assert condensed.n_papers.tolist() == [6]
    assert condensed.variance_lost == 0.0


def test_scaled_rows_have_unit_length_whatever_the_norm(source: Path) -> None:
    """Average linkage by cosine asks for it."""
    text = TextSettings(stop_words="none", norm="none")
    condensed = condense_file(source, text=text, is_scaled=True)
    squares = condensed.sample.rows.power(2).sum(axis=1)
    np.testing.assert_allclose(squares, 1.0, atol=1e-12)


def test_birch_also_condenses(source: Path) -> None:
    """No more micro-clusters than asked, and every paper in one."""
    condensed = condense_file(source, method="birch")
    assert 4 <= len(condensed.n_papers) <= 8
    assert condensed.n_papers.sum() == 100


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_sample(source: Path) -> None:
    """All chance comes from the generator."""
    first = condense_file(source, seed=1)
    assert content_of(condense_file(source, seed=1)) == content_of(first)
    other = condense_file(source, seed=2)
    assert other.sample.numbers.tolist() != first.sample.numbers.tolist()


@pytest.mark.parametrize("n_at_once", [7, 33, 100, 1000])
def test_rows_and_sample_do_not_hang_on_the_shards(
    source: Path, condensed: Condensed, n_at_once: int
) -> None:
    """One shard or fifteen: the same papers are drawn and weigh the same."""
    other = condense_file(source, n_sample=100, n_at_once=n_at_once)
    assert other.n_papers.sum() == 100
    difference = abs(other.sample.rows - condensed.sample.rows)
    assert difference.max() < 1e-14


@pytest.mark.slow
@pytest.mark.parametrize(
    "choice",
    [EngineChoice(n_workers=2), EngineChoice(name="dask"), EngineChoice(name="dask", n_workers=2)],
)
@pytest.mark.parametrize("method", ["mini-batch-k-means", "birch"])
def test_every_engine_gives_the_same_bytes(source: Path, choice: EngineChoice, method: str) -> None:
    """One process, two, Dask with one worker or two."""
    expected = condense_file(source, method=method)
    assert content_of(condense_file(source, choice=choice, method=method)) == content_of(expected)


def test_fewer_papers_than_micro_clusters_are_refused(source: Path) -> None:
    """There is nothing to condense."""
    with pytest.raises(
        ParameterError, match="101 micro-clusters asked of 100 papers; ask for fewer, or cluster"
    ):
        condense_file(source, n_micro_clusters=101)


def test_papers_without_a_term_are_named(tmp_path: Path) -> None:
    """As survey_tools.text does; they may lie in any shard, even fill one."""
    papers = list(PAPERS[:20])
    papers[10:12] = [Paper(key=f"bare{i}", title="x y z") for i in range(2)]
    with pytest.raises(
        ParameterError, match=r"2 of 20 papers have no term left after filtering: bare0, bare1;"
    ):
        condense_file(write_papers_to(tmp_path / "p.jsonl", tuple(papers)), n_at_once=2)


def test_a_full_disk_is_told_and_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scratch folder goes, too."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("numpy.savez", refuse)
    with pytest.raises(
        OutputError, match=r"counts-000000: cannot be written \(No space left on device\); name"
    ):
        condense_file(source)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_no_scratch_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while centres are fitted."""

    def interrupt(*args: object, **kwargs: object) -> None:
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("survey_tools.condense.passes.fit_k_means", interrupt)
    with pytest.raises(KeyboardInterrupt):
        condense_file(source)
    assert list(tmp_path.iterdir()) == []
