"""Null corpora: margins, the law of the tables, and the burstiness of the papers."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import gammaln
from scipy.stats import chi2, random_table

from survey_tools.errors import ParameterError
from survey_tools.robustness.nulls import (
    draw_one_topic,
    estimate_concentration,
    shuffle_terms,
)
from survey_tools.text import Counts


def build(table: NDArray[np.int64] | list[list[int]]) -> Counts:
    """Make a corpus of a dense table of papers by terms."""
    dense = np.asarray(table, dtype=np.int64)
    return Counts(
        paper_keys=tuple(f"p{i:03d}" for i in range(dense.shape[0])),
        terms=np.array([f"t{i:04d}" for i in range(dense.shape[1])], dtype=object),
        matrix=sparse.csr_array(dense),
    )


def draw_corpus(
    n_papers: int, n_terms: int, concentration: float, rng: np.random.Generator
) -> Counts:
    """Draw 85 terms for each paper, its shares of the terms from a Dirichlet law by numpy."""
    shares = 1 / np.arange(1, n_terms + 1)
    shares /= shares.sum()
    of_paper = rng.dirichlet(concentration * shares, n_papers)
    return build(np.stack([rng.multinomial(85, row) for row in of_paper]))


def dense(counts: Counts, like: Counts) -> NDArray[np.int64]:
    """Return the table with the columns of another corpus."""
    place = {term: i for i, term in enumerate(like.terms)}
    table = np.zeros(like.matrix.shape, dtype=np.int64)
    table[:, [place[term] for term in counts.terms]] = counts.matrix.toarray()
    return table


@st.composite
def tables(draw: st.DrawFn) -> NDArray[np.int64]:
    """Small tables of counts with at least one occurrence, some papers and terms without."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    table = rng.poisson(0.7, rng.integers(1, 12, 2))
    table[0, 0] += 1
    return table


@given(tables(), st.integers(0, 10_000))
def test_margins_are_kept(table: NDArray[np.int64], seed: int) -> None:
    """Papers keep their lengths in both nulls; terms keep their totals in the shuffled one."""
    counts = build(table)
    shuffled = shuffle_terms(counts, np.random.default_rng(seed))
    topic = draw_one_topic(counts, np.random.default_rng(seed), concentration=3.0)
    for null in (shuffled, topic):
        assert null.paper_keys == counts.paper_keys
        assert null.matrix.sum(axis=1).tolist() == table.sum(axis=1).tolist()
        assert null.matrix.shape == (len(null.paper_keys), len(null.terms))
        assert list(null.terms) == sorted(null.terms)
        assert null.matrix.has_canonical_format
        assert null.matrix.dtype == np.int64
        assert null.matrix.format == "csr"
        assert (null.matrix.data > 0).all()
    assert shuffled.matrix.sum(axis=0).tolist() == table.sum(axis=0).tolist()
    assert shuffled.terms.tolist() == counts.terms.tolist()
    assert (topic.document_frequency > 0).all()
    assert set(topic.terms) <= set(counts.terms[table.sum(axis=0) > 0])


def test_order_in_which_entries_are_stored_does_not_matter() -> None:
    """A corpus whose rows are stored unsorted gives the same nulls, and stays as it is."""
    table = np.random.default_rng(0).poisson(1.0, (6, 8))
    counts, matrix = build(table), sparse.csr_array(table)
    rows = np.repeat(np.arange(6), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.indices, rows))
    parts = (matrix.data[order], matrix.indices[order], matrix.indptr)
    turned = Counts(
        paper_keys=counts.paper_keys,
        terms=counts.terms,
        matrix=sparse.csr_array(parts, shape=matrix.shape),
    )
    stored = turned.matrix.indices.tolist()
    for make in (shuffle_terms, draw_one_topic):
        nulls = [make(corpus, np.random.default_rng(1)) for corpus in (counts, turned)]
        assert (dense(nulls[0], counts) == dense(nulls[1], counts)).all()
    assert turned.matrix.indices.tolist() == stored
    assert estimate_concentration(turned) == estimate_concentration(counts)


def test_nulls_follow_the_generator() -> None:
    """Equal generators make equal corpora; another seed makes another."""
    counts = build(np.random.default_rng(0).poisson(1.0, (10, 30)))
    for make in (shuffle_terms, draw_one_topic):
        first, again, other = (
            dense(make(counts, np.random.default_rng(seed)), counts) for seed in (1, 1, 2)
        )
        assert (first == again).all()
        assert (first != other).any()


def assert_frequencies(found: Counter[tuple[int, ...]], law: dict[tuple[int, ...], float]) -> None:
    """Compare numbers of draws with a law by a chi-squared test at the level 0.001."""
    assert set(found) <= set(law)
    assert sum(law.values()) == pytest.approx(1)
    n = sum(found.values())
    statistic = sum((found[table] - n * p) ** 2 / (n * p) for table, p in law.items())
    assert statistic < chi2.isf(0.001, len(law) - 1)


def test_shuffled_tables_have_the_hypergeometric_law() -> None:
    """Each table of given margins comes up in proportion to 1 / (product of factorials)."""
    counts = build([[2, 1, 0], [0, 1, 1]])
    cells = list(product(range(4), repeat=6))
    allowed = [
        cell
        for cell in cells
        if np.reshape(cell, (2, 3)).sum(axis=1).tolist() == [3, 2]
        and np.reshape(cell, (2, 3)).sum(axis=0).tolist() == [2, 2, 1]
    ]
    weight = {cell: float(np.exp(-gammaln(np.array(cell) + 1).sum())) for cell in allowed}
    law = {cell: value / sum(weight.values()) for cell, value in weight.items()}
    assert len(law) == 5
    rng = np.random.default_rng(0)
    found = Counter(
        tuple(shuffle_terms(counts, rng).matrix.toarray().ravel().tolist()) for _ in range(2000)
    )
    assert_frequencies(found, law)


def test_shuffled_moments_are_scipys() -> None:
    """Means, variances and empty cells of a larger table are those of random_table."""
    counts = build(np.random.default_rng(3).poisson(1.2, (7, 9)))
    rows, columns = counts.matrix.sum(axis=1), counts.matrix.sum(axis=0)
    rng = np.random.default_rng(4)
    ours = np.stack([shuffle_terms(counts, rng).matrix.toarray() for _ in range(2000)])
    law = random_table(rows, columns)
    theirs = law.rvs(2000, random_state=np.random.default_rng(5))
    error = np.sqrt(theirs.var(axis=0) / 2000)
    assert (np.abs(ours.mean(axis=0) - law.mean()) < 4.5 * error).all()
    assert ours.var(axis=0) == pytest.approx(theirs.var(axis=0), rel=0.2)
    n_stored = (ours > 0).sum(axis=(1, 2)), (theirs > 0).sum(axis=(1, 2))
    assert n_stored[0].mean() == pytest.approx(n_stored[1].mean(), rel=0.005)
    assert n_stored[0].std() == pytest.approx(n_stored[1].std(), rel=0.1)


@pytest.mark.parametrize("concentration", [0.7, 5.0])
def test_one_topic_has_the_dirichlet_multinomial_law(concentration: float) -> None:
    """Each count of a paper comes up with its probability under the law."""
    counts = build([[3, 1, 0], [0, 2, 2]])
    alpha = concentration * np.array([3, 3, 2]) / 8
    law = {}
    for cell in product(range(5), repeat=3):
        if sum(cell) == 4:
            x = np.array(cell)
            log = gammaln(concentration) + gammaln(5) - gammaln(4 + concentration)
            log += (gammaln(x + alpha) - gammaln(alpha) - gammaln(x + 1)).sum()
            law[cell] = float(np.exp(log))
    rng = np.random.default_rng(1)
    found: Counter[tuple[int, ...]] = Counter()
    for _ in range(2000):
        null = draw_one_topic(counts, rng, concentration=concentration)
        found.update(map(tuple, dense(null, counts).tolist()))
    assert_frequencies(found, law)


def test_one_topic_keeps_terms_on_average_and_papers_apart() -> None:
    """Totals of the terms are the corpus's on average; papers do not depend on each other."""
    counts = build(np.random.default_rng(3).poisson(1.2, (7, 9)))
    rng = np.random.default_rng(6)
    drawn = np.stack(
        [dense(draw_one_topic(counts, rng, concentration=4.0), counts) for _ in range(2000)]
    )
    columns, rows = counts.matrix.sum(axis=0), counts.matrix.sum(axis=1)
    error = drawn.sum(axis=1).std(axis=0) / np.sqrt(2000)
    assert (np.abs(drawn.sum(axis=1).mean(axis=0) - columns) < 4.5 * error).all()
    share = columns / columns.sum()
    spread = rows * (1 + (rows - 1) / 5.0)  # of the law: n p (1 - p) (n + s) / (1 + s)
    expected = spread[:, None] * share * (1 - share)
    assert drawn.var(axis=0) == pytest.approx(expected, rel=0.2)
    correlation = np.corrcoef(drawn[:, :, 0].T)
    assert np.abs(correlation - np.eye(7)).max() < 0.1


def test_limits_of_the_concentration() -> None:
    """At 0 each paper repeats one term; at infinity counts scatter as without burstiness."""
    counts = build(np.random.default_rng(3).poisson(1.2, (7, 9)))
    rng = np.random.default_rng(0)
    one_term = draw_one_topic(counts, rng, concentration=0.0)
    assert np.diff(one_term.matrix.indptr).tolist() == [1] * 7
    drawn = np.stack(
        [dense(draw_one_topic(counts, rng, concentration=np.inf), counts) for _ in range(2000)]
    )
    share = counts.matrix.sum(axis=0) / counts.matrix.sum()
    expected = counts.matrix.sum(axis=1)[:, None] * share * (1 - share)
    assert drawn.var(axis=0) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(
    ("concentration", "tolerance"), [(10.0, 0.04), (30.0, 0.05), (100.0, 0.07), (300.0, 0.12)]
)
def test_concentration_of_a_simulated_corpus_is_found(
    concentration: float, tolerance: float
) -> None:
    """The estimate from 180 papers is near the concentration that they were drawn with."""
    counts = draw_corpus(180, 3000, concentration, np.random.default_rng(7))
    assert estimate_concentration(counts) == pytest.approx(concentration, rel=tolerance)


def test_estimate_is_the_highest_likelihood() -> None:
    """On a grid the likelihood, written with gamma functions, is nowhere higher."""
    counts = draw_corpus(60, 200, 20.0, np.random.default_rng(8))
    table = counts.matrix.toarray()
    used = table[:, table.sum(axis=0) > 0]
    share = used.sum(axis=0) / used.sum()

    def log_likelihood(s: float) -> float:
        papers = gammaln(s) - gammaln(s + used.sum(axis=1))
        return float(papers.sum() + (gammaln(used + s * share) - gammaln(s * share)).sum())

    best = estimate_concentration(counts)
    grid = best * np.array([0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 10.0])
    assert log_likelihood(best) > max(map(log_likelihood, grid))


def test_estimate_at_the_ends() -> None:
    """One term a paper gives 0; no repeats, or as many as by chance, give infinity."""
    assert estimate_concentration(build([[5, 0], [0, 4]])) == 0
    assert estimate_concentration(build([[1, 1, 0], [0, 1, 1]])) == np.inf
    assert estimate_concentration(build([[1], [1]])) == np.inf
    flat = np.random.default_rng(0).multinomial(85, np.full(500, 1 / 500), 100)
    assert estimate_concentration(build(flat)) > 1e4


def test_one_topic_is_as_bursty_as_its_corpus() -> None:
    """Papers have as many different terms and repeats as in the corpus; a shuffle has not."""
    counts = draw_corpus(180, 3000, 100.0, np.random.default_rng(9))
    rng = np.random.default_rng(10)
    topic = [draw_one_topic(counts, rng) for _ in range(10)]
    shuffled = [shuffle_terms(counts, rng) for _ in range(10)]

    n_different = np.mean([null.matrix.nnz for null in topic])
    assert n_different == pytest.approx(counts.matrix.nnz, rel=0.01)
    assert min(null.matrix.nnz for null in shuffled) > 1.1 * counts.matrix.nnz
    again = np.median([estimate_concentration(null) for null in topic])
    assert again == pytest.approx(estimate_concentration(counts), rel=0.06)
    frequencies = [float(np.sort(null.document_frequency)[-50:].mean()) for null in topic]
    assert np.mean(frequencies) == pytest.approx(
        np.sort(counts.document_frequency)[-50:].mean(), rel=0.03
    )


@pytest.mark.parametrize("concentration", [-1.0, float("nan")])
def test_impossible_concentration_is_refused(concentration: float) -> None:
    """A concentration is a number from 0."""
    with pytest.raises(ParameterError, match=r"the concentration is .*; give a number from 0"):
        draw_one_topic(build([[1]]), np.random.default_rng(0), concentration=concentration)


def test_corpus_without_terms_is_refused() -> None:
    """Nothing can be drawn from papers without any term."""
    empty = build([[0, 0], [0, 0]])
    for make in (shuffle_terms, draw_one_topic):
        with pytest.raises(ParameterError, match="no paper has any term"):
            make(empty, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="no paper has any term"):
        estimate_concentration(empty)
