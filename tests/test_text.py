"""Text -> weighted terms: the same bits as scikit-learn's, and what it cannot do."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nltk.stem import PorterStemmer, SnowballStemmer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from survey_tools.corpus import Corpus
from survey_tools.errors import DataError, ParameterError
from survey_tools.paper import Paper
from survey_tools.settings import TextSettings
from survey_tools.text import (
    Features,
    build_features,
    count_terms,
    count_text_sources,
    join_fields,
    limit_terms,
    read_stop_words,
    tokenise,
    weight_terms,
)

NONE: frozenset[str] = frozenset()


def build_reference(options: TextSettings, stop_words: frozenset[str]) -> CountVectorizer:
    """Return scikit-learn's own vectoriser with the same settings."""
    common = {
        "lowercase": options.lowercase,
        "token_pattern": options.token_pattern,
        "stop_words": sorted(stop_words) or None,
        "ngram_range": options.ngram_range,
        "min_df": options.min_df,
        "max_df": options.max_df,
        "max_features": options.max_features,
    }
    if options.weighting == "counts" and options.norm == "none":
        return CountVectorizer(**common)
    return TfidfVectorizer(
        **common,
        binary=options.weighting == "binary",
        use_idf=options.weighting.endswith("tf-idf"),
        sublinear_tf=options.weighting == "sublinear-tf-idf",
        smooth_idf=options.smooth_idf,
        norm=None if options.norm == "none" else options.norm,
    )


def assert_same_bits(features: Features, corpus: Corpus, stop_words: frozenset[str]) -> None:
    """Compare every stored number, index and term with scikit-learn's."""
    papers = sorted(corpus, key=lambda paper: paper.key)
    vectoriser = build_reference(features.settings, stop_words)
    expected = vectoriser.fit_transform(join_fields(p, features.settings.fields) for p in papers)
    assert features.paper_keys == tuple(paper.key for paper in papers)
    assert np.array_equal(features.terms, vectoriser.get_feature_names_out())
    assert features.matrix.shape == expected.shape
    assert np.array_equal(features.matrix.indptr, expected.indptr)
    assert np.array_equal(features.matrix.indices, expected.indices)
    assert np.array_equal(features.matrix.data, expected.data)
    assert features.matrix.data.dtype == np.float64
    assert features.matrix.indices.dtype == expected.indices.dtype  # scikit-learn needs int32


SAME_AS_SKLEARN = {
    "defaults": {},
    "no stop words": {"stop_words": "none"},
    "bigrams too": {"ngram_range": (1, 2)},
    "bigrams only": {"ngram_range": (2, 2)},
    "one to three": {"ngram_range": (1, 3), "stop_words": "none"},
    "fewest papers": {"min_df": 3},
    "fewest share": {"min_df": 0.03},
    "most papers": {"max_df": 20},
    "most share": {"max_df": 0.4, "stop_words": "none"},
    "share of one": {"max_df": 1.0, "min_df": 1e-9},
    "both limits": {"min_df": 2, "max_df": 0.5, "ngram_range": (1, 2)},
    "capitals kept": {"lowercase": False},
    "letters only": {"token_pattern": r"[A-Za-z]+"},
    "one letter too": {"token_pattern": r"(?u)\b\w+\b", "stop_words": "none"},
    "hyphens kept": {"token_pattern": r"(?u)\b\w[\w-]+\b"},
    "one group": {"token_pattern": r"(?u)\b(\w{3})\w+\b"},
    "title only": {"fields": ("title",)},
    "abstract first": {"fields": ("abstract", "title")},
    "counts": {"weighting": "counts", "norm": "none"},
    "counts, l1": {"weighting": "counts", "norm": "l1"},
    "counts, l2": {"weighting": "counts", "min_df": 2},
    "binary": {"weighting": "binary", "norm": "none"},
    "binary, l2": {"weighting": "binary", "min_df": 2},
    "sublinear": {"weighting": "sublinear-tf-idf"},
    "sublinear, l1": {"weighting": "sublinear-tf-idf", "norm": "l1", "ngram_range": (1, 2)},
    "no smoothing": {"smooth_idf": False},
    "no smoothing, sublinear": {"smooth_idf": False, "weighting": "sublinear-tf-idf"},
    "no norm": {"norm": "none", "min_df": 2},
    "l1": {"norm": "l1", "min_df": 2},
}


@pytest.mark.parametrize("given_settings", SAME_AS_SKLEARN.values(), ids=SAME_AS_SKLEARN)
def test_bundled_survey_equals_sklearn(mim_corpus: Corpus, given_settings: dict) -> None:
    """Weights, indices and terms of the bundled survey are scikit-learn's to the last bit."""
    options = TextSettings(**given_settings)
    stop_words = read_stop_words(options.stop_words, Path())
    features = build_features(mim_corpus, options, stop_words=stop_words)
    assert len(features.terms) > 50
    assert_same_bits(features, mim_corpus, stop_words)


# Words that trip tokenisers: capitals that lower to two characters, combining marks,
# digits, underscores, one letter, apostrophes, stop words, no letters at all.
WORDS = ["aa", "ab", "Ba", "THE", "of", "x", "1x", "_y", "été", "Straße", "İstanbul", "l'an", "—"]
SEPARATORS = [" ", "\n", "-", "  ", ", ", "\u00a0"]


@st.composite
def documents(draw: st.DrawFn) -> Corpus:
    """Draw one to eight papers whose titles join odd words by odd separators."""
    papers = []
    for i in range(draw(st.integers(1, 8))):
        words = draw(st.lists(st.sampled_from(WORDS), max_size=12))
        gaps = draw(st.lists(st.sampled_from(SEPARATORS), min_size=len(words), max_size=len(words)))
        text = "".join(word + gap for word, gap in zip(words, gaps, strict=True))
        papers.append(Paper(key=f"k{9 - i}", title=text))
    return Corpus(tuple(papers))


@st.composite
def text_settings(draw: st.DrawFn) -> TextSettings:
    """Draw any settings that scikit-learn has too, without max_features."""
    shortest = draw(st.integers(1, 3))
    limit = st.integers(1, 4) | st.sampled_from([1e-9, 0.1, 0.3, 1 / 3, 0.5, 0.7, 1.0])
    return TextSettings(
        lowercase=draw(st.booleans()),
        token_pattern=draw(st.sampled_from([r"(?u)\b\w\w+\b", r"\w+", r"\S+", r"a(\w*)"])),
        ngram_range=(shortest, draw(st.integers(shortest, 4))),
        min_df=draw(limit),
        max_df=draw(limit),
        weighting=draw(st.sampled_from(["counts", "binary", "tf-idf", "sublinear-tf-idf"])),
        smooth_idf=draw(st.booleans()),
        norm=draw(st.sampled_from(["l1", "l2", "none"])),
    )


@settings(max_examples=300)
@given(corpus=documents(), options=text_settings(), with_stop_words=st.booleans())
def test_any_documents_equal_sklearn(
    corpus: Corpus, options: TextSettings, with_stop_words: bool
) -> None:
    """Where scikit-learn weights made-up documents, so do we, equally; where not, neither."""
    stop_words = frozenset({"the", "of", "aa"}) if with_stop_words else NONE
    texts = [paper.title for paper in sorted(corpus, key=lambda paper: paper.key)]
    try:
        expected = build_reference(options, stop_words).fit_transform(texts)
    except ValueError as error:
        expected = None
        reason = str(error)
    if expected is None:
        with pytest.raises(ParameterError) as caught:
            build_features(corpus, options, stop_words=stop_words)
        ours = {"empty vocabulary": "no term is left in any", "max_df corr": "is below min_df"}
        ours["After pruning"] = "none of"
        assert next(text for start, text in ours.items() if reason.startswith(start)) in str(
            caught.value
        )
    elif (np.diff(expected.indptr) == 0).any():
        with pytest.raises(ParameterError, match="have no term left after filtering"):
            build_features(corpus, options, stop_words=stop_words)
    else:
        features = build_features(corpus, options, stop_words=stop_words)
        assert_same_bits(features, corpus, stop_words)


def find_untied(corpus: Corpus, options: TextSettings) -> list[int]:
    """Numbers n for which the n-th term is more frequent than the next."""
    counts = count_terms(tokenise(corpus, options, NONE), options)
    totals = np.sort(counts.matrix.sum(axis=0))[::-1]
    return [int(i) + 1 for i in np.flatnonzero(totals[:-1] > totals[1:])]


@pytest.mark.parametrize("weighting", ["counts", "tf-idf"])
def test_most_frequent_terms_equal_sklearn_without_a_tie(
    mim_corpus: Corpus, weighting: str
) -> None:
    """Where the last term kept is more frequent than the first dropped, nothing differs."""
    options = TextSettings(stop_words="none", weighting=weighting)
    chosen = [n for n in find_untied(mim_corpus, options) if n >= 40][:5]
    assert len(chosen) == 5
    for n_terms in chosen:
        limited = options.model_copy(update={"max_features": n_terms})
        features = build_features(mim_corpus, limited, stop_words=NONE)
        assert features.matrix.shape[1] == n_terms
        assert_same_bits(features, mim_corpus, NONE)


def test_equally_frequent_terms_stay_in_alphabetical_order(make_corpus) -> None:
    """Of forty terms that stand once each the alphabetically first five are kept."""
    words = [f"w{i:02d}" for i in range(40)]
    corpus = make_corpus({"a": " ".join(words[::-1]), "b": "w00 w01 w02 w03 w04 w39 w39"})
    features = build_features(corpus, TextSettings(max_features=3), stop_words=NONE)
    assert list(features.terms) == ["w00", "w01", "w39"]  # totals 2, 2 and 3; w02 has 2 too


def test_sklearn_leaves_ties_to_an_unstable_sort() -> None:
    """scikit-learn keeps what numpy's default argsort happens to put first.

    That sort is not stable ("quicksort"), so between equal counts its order depends on
    the processor's vector instructions. Both choices hold equally frequent terms; only
    ours is a rule that a person can repeat.
    """
    words = [f"w{i:03d}" for i in range(300)]
    text = " ".join(word for i, word in enumerate(words) for _ in range(1 + i % 2))
    options = TextSettings(max_features=100, weighting="counts", norm="none")
    theirs = build_reference(options, NONE).fit([text]).get_feature_names_out()
    totals = np.array([1 + i % 2 for i in range(300)])
    assert set(theirs) == {words[i] for i in np.argsort(-totals)[:100]}
    corpus = Corpus((Paper(key="a", title=text),))
    ours = build_features(corpus, options, stop_words=NONE)
    assert list(ours.terms) == words[1:200:2]  # the first hundred of those that stand twice
    assert ours.matrix.sum() == 200 == 2 * len(theirs)


def test_fewer_terms_than_asked_for_are_all_kept(make_corpus) -> None:
    """max_features above the number of terms changes nothing."""
    corpus = make_corpus({"a": "aa bb", "b": "bb cc"})
    features = build_features(corpus, TextSettings(max_features=9), stop_words=NONE)
    assert list(features.terms) == ["aa", "bb", "cc"]


def test_tf_idf_by_hand(make_corpus) -> None:
    """Three papers: idf is 1 + ln(4 / (1 + df)), then each row has length one."""
    corpus = make_corpus({"a": "mask mask patch", "b": "patch token", "c": "token patch"})
    features = build_features(corpus, TextSettings(), stop_words=NONE)
    assert list(features.terms) == ["mask", "patch", "token"]
    idf = {"mask": 1 + math.log(4 / 2), "patch": 1.0, "token": 1 + math.log(4 / 3)}
    length = math.hypot(2 * idf["mask"], idf["patch"])
    first = features.matrix.toarray()[0]
    assert first == pytest.approx([2 * idf["mask"] / length, 1 / length, 0.0], abs=1e-15)


def test_sublinear_tf_by_hand(make_corpus) -> None:
    """A term that stands three times in its paper weighs 1 + ln 3 times its idf."""
    corpus = make_corpus({"a": "mask mask mask", "b": "patch"})
    options = TextSettings(weighting="sublinear-tf-idf", norm="none")
    features = build_features(corpus, options, stop_words=NONE)
    assert features.matrix[0, 0] == pytest.approx((1 + math.log(3)) * (1 + math.log(3 / 2)))


def test_bm25_by_hand(make_corpus) -> None:
    """Three papers of 3, 2 and 1 tokens (mean 2), k1 = 1.2, b = 0.75."""
    corpus = make_corpus({"a": "mask mask patch", "b": "patch token", "c": "token"})
    features = build_features(corpus, TextSettings(weighting="bm25", norm="none"), stop_words=NONE)
    idf_mask = math.log(1 + 2.5 / 1.5)  # in 1 of 3 papers
    idf_rest = math.log(1 + 1.5 / 2.5)  # in 2 of 3 papers
    # k1 (1 - b + b length / mean length): 1.65 for a, 1.2 for b, 0.75 for c
    expected = [
        [2 * 2.2 / (2 + 1.65) * idf_mask, 2.2 / (1 + 1.65) * idf_rest, 0.0],
        [0.0, 2.2 / (1 + 1.2) * idf_rest, 2.2 / (1 + 1.2) * idf_rest],
        [0.0, 0.0, 2.2 / (1 + 0.75) * idf_rest],
    ]
    assert features.matrix.toarray() == pytest.approx(np.array(expected), abs=1e-15)


def test_bm25_without_length_normalisation(make_corpus) -> None:
    """With b = 0 the length of a paper does not matter; k1 alone sets the saturation."""
    corpus = make_corpus({"a": "mask patch patch patch", "b": "mask"})
    options = TextSettings(weighting="bm25", bm25_b=0, bm25_k1=2, norm="none")
    features = build_features(corpus, options, stop_words=NONE)
    assert features.matrix[0, 0] == features.matrix[1, 0] == pytest.approx(math.log(1 + 0.5 / 2.5))
    assert features.matrix[0, 1] == pytest.approx(3 * 3 / (3 + 2) * math.log(1 + 1.5 / 1.5))


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_bm25_rows_are_normalised(mim_corpus: Corpus, norm: str, power: int) -> None:
    """BM25 weights are positive and each paper's have norm one."""
    features = build_features(mim_corpus, TextSettings(weighting="bm25", norm=norm))
    assert features.matrix.data.min() > 0
    sums = (features.matrix.toarray() ** power).sum(axis=1)
    assert sums == pytest.approx(np.ones(len(mim_corpus)), abs=1e-12)


@pytest.mark.parametrize("weighting", ["counts", "binary", "tf-idf", "sublinear-tf-idf", "bm25"])
def test_counts_are_left_as_they_were(make_corpus, weighting: str) -> None:
    """Weighting the same counts twice gives the same weights: the counts are not touched."""
    corpus = make_corpus({"a": "mask mask patch", "b": "patch token"})
    counts = count_terms(tokenise(corpus, TextSettings(), NONE), TextSettings())
    before = counts.matrix.toarray()
    weight_terms(counts, TextSettings(weighting=weighting))
    assert np.array_equal(counts.matrix.toarray(), before)
    assert counts.matrix.dtype == np.int64


@pytest.mark.parametrize(
    ("stemming", "stemmer"),
    [("porter", PorterStemmer()), ("snowball", SnowballStemmer("english"))],
)
def test_stemming_is_nltks(
    mim_corpus: Corpus, stemming: str, stemmer: PorterStemmer | SnowballStemmer
) -> None:
    """Every token of the bundled survey is stemmed as NLTK stems it alone."""
    plain = tokenise(mim_corpus, TextSettings(), NONE)
    stemmed = tokenise(mim_corpus, TextSettings(stemming=stemming), NONE)
    expected = tuple(tuple(stemmer.stem(word) for word in words) for words in plain.tokens)
    assert stemmed.tokens == expected
    assert stemmed.tokens != plain.tokens


def test_stop_words_go_before_stemming(make_corpus) -> None:
    """The stop word "was" goes; "wa", its Porter stem, is never asked about."""
    corpus = make_corpus({"a": "masking was done"})
    options = TextSettings(stemming="porter")
    assert tokenise(corpus, options, frozenset({"was"})).tokens == (("mask", "done"),)
    assert tokenise(corpus, options, frozenset({"wa"})).tokens == (("mask", "wa", "done"),)


def test_stop_words_go_before_ngrams(make_corpus) -> None:
    """Words that stood on both sides of a stop word become neighbours, as in scikit-learn."""
    corpus = make_corpus({"a": "prediction of pixels"})
    options = TextSettings(ngram_range=(2, 2))
    features = build_features(corpus, options, stop_words=frozenset({"of"}))
    assert list(features.terms) == ["prediction pixels"]


def test_ngrams_are_runs_of_tokens(make_corpus) -> None:
    """Each n-gram is a run of consecutive tokens; shorter papers just have fewer."""
    corpus = make_corpus({"a": "mask the patch", "b": "mask"})
    counts = count_terms(tokenise(corpus, TextSettings(), NONE), TextSettings(ngram_range=(1, 3)))
    words = ["mask", "the", "patch"]
    runs = {*words, *(" ".join(pair) for pair in pairwise(words)), "mask the patch"}
    assert list(counts.terms) == sorted(runs)
    assert np.diff(counts.matrix.indptr).tolist() == [6, 1]


def test_runs_of_characters_are_sklearns_char_wb(mim_corpus: Corpus) -> None:
    """Runs of characters inside tokens equal CountVectorizer(analyzer="char_wb")."""
    settings = TextSettings(analyser="characters", ngram_range=(3, 5), stop_words="english")
    tokens = tokenise(mim_corpus, settings, frozenset({"the"}))
    counts = count_terms(tokens, settings)
    vectoriser = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5))
    expected = vectoriser.fit_transform(" ".join(words) for words in tokens.tokens)
    assert counts.terms.tolist() == vectoriser.get_feature_names_out().tolist()
    assert (counts.matrix != expected).nnz == 0


def test_runs_of_characters_by_hand(make_corpus) -> None:
    """A token stands between spaces; a run does not reach into the next token."""
    corpus = make_corpus({"a": "ab c"})
    settings = TextSettings(analyser="characters", ngram_range=(3, 3), token_pattern=r"\w+")  # noqa: S106
    counts = count_terms(tokenise(corpus, settings, NONE), settings)
    assert counts.terms.tolist() == [" ab", " c ", "ab "]


def test_document_frequency_counts_papers(make_corpus) -> None:
    """A term that stands thrice in one paper has document frequency one."""
    corpus = make_corpus({"a": "mask mask mask", "b": "patch", "c": "patch"})
    counts = count_terms(tokenise(corpus, TextSettings(), NONE), TextSettings())
    assert dict(zip(counts.terms, counts.document_frequency, strict=True)) == {
        "mask": 1,
        "patch": 2,
    }


@pytest.mark.parametrize(
    ("abstract", "digest", "expected"),
    [
        ("theirs", "ours", "title theirs"),
        (None, "ours", "title ours"),
        ("  \n", "ours", "title ours"),
        ("theirs", None, "title theirs"),
        (None, None, "title"),
        (None, " ", "title"),
    ],
)
def test_digest_stands_in_for_a_missing_abstract(
    abstract: str | None, digest: str | None, expected: str
) -> None:
    """The digest is read only where there is no abstract, and blanks are no abstract."""
    paper = Paper(key="a", title="title", abstract=abstract, digest=digest)
    assert join_fields(paper, ("title", "abstract")) == expected


def test_fields_stand_in_the_order_asked_for() -> None:
    """Abstract before title, if that is what the settings say."""
    paper = Paper(key="a", title="one", abstract="two")
    assert join_fields(paper, ("abstract", "title")) == "two one"


def test_rows_follow_the_keys_not_the_file(six_papers: Corpus) -> None:
    """Rows stand in key order, and each row holds its own paper's words."""
    options = TextSettings(weighting="counts", norm="none")
    features = build_features(six_papers, options, stop_words=NONE)
    assert features.paper_keys == ("p1", "p2", "t1", "t2", "v1", "v2")
    assert list(features.terms) == ["pixel", "token", "video"]
    assert features.matrix.toarray().tolist() == [
        [4, 0, 0],
        [5, 0, 0],
        [0, 4, 0],
        [0, 6, 0],
        [0, 0, 8],
        [0, 0, 11],
    ]


@given(order=st.permutations(range(6)))
def test_order_of_the_papers_changes_nothing(order: list[int]) -> None:
    """The same papers in another order give the same matrix, to the last bit."""
    titles = ["mask the patch", "patch mask mask", "token of a patch", "video", "video of", "of a"]
    papers = [Paper(key=f"k{i}", title=title) for i, title in enumerate(titles)]
    options = TextSettings(ngram_range=(1, 2))
    expected = build_features(Corpus(tuple(papers)), options, stop_words=NONE)
    features = build_features(Corpus(tuple(papers[i] for i in order)), options, stop_words=NONE)
    assert features.paper_keys == expected.paper_keys
    assert np.array_equal(features.terms, expected.terms)
    for name in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(features.matrix, name), getattr(expected.matrix, name))


def test_papers_without_a_term_are_named(make_corpus) -> None:
    """The message names the papers left bare, how many there are of how many, and the way out."""
    corpus = make_corpus({"c": "mask", "b": "of", "a": "mask patch", "e": ""})
    with pytest.raises(
        ParameterError,
        match=r"^2 of 4 papers have no term left after filtering: b, e; lower min_df or drop them$",
    ):
        build_features(corpus, TextSettings(), stop_words=frozenset({"of"}))


def test_papers_left_bare_by_max_features_are_named(make_corpus) -> None:
    """A paper whose terms are all too rare to be kept is named, not clustered as zeros."""
    corpus = make_corpus({"a": "mask mask", "b": "patch"})
    with pytest.raises(ParameterError, match=r"1 of 2 papers have no term left .*: b;"):
        build_features(corpus, TextSettings(max_features=1), stop_words=NONE)


def test_many_bare_papers_are_abbreviated(make_corpus) -> None:
    """Five papers are named in full and the rest counted."""
    corpus = make_corpus({"a": "mask", **{f"k{i}": "" for i in range(7)}})
    with pytest.raises(ParameterError, match=r"7 of 8 .*: k0, k1, k2, k3, k4, … \(7 in all\)"):
        build_features(corpus, TextSettings(), stop_words=NONE)


def test_empty_vocabulary_is_refused(make_corpus) -> None:
    """Where stop words swallow every token, the message says what to check."""
    corpus = make_corpus({"a": "the of", "b": "of"})
    with pytest.raises(
        ParameterError,
        match="no term is left in any of the 2 papers; check token_pattern, stop_words and ngram",
    ):
        build_features(corpus, TextSettings(stop_words="english"))


def test_empty_corpus_is_refused() -> None:
    """No papers, no features."""
    with pytest.raises(DataError, match="the corpus is empty; nothing to cluster"):
        build_features(Corpus(()), TextSettings())


def test_limits_that_leave_nothing_are_refused(make_corpus) -> None:
    """The message says how many terms there were and what the limits came to."""
    corpus = make_corpus({"a": "mask", "b": "patch", "c": "token"})
    with pytest.raises(
        ParameterError,
        match="none of 3 terms stands in 2 to 3 of 3 papers; lower min_df or raise max_df",
    ):
        build_features(corpus, TextSettings(min_df=2), stop_words=NONE)


def test_limits_that_cross_are_refused(make_corpus) -> None:
    """A share of a few papers can lie below a whole number."""
    corpus = make_corpus({"a": "mask", "b": "mask", "c": "mask", "d": "mask"})
    with pytest.raises(
        ParameterError,
        match=r"max_df \(0\.5 = 2 papers\) is below min_df \(3 = 3 papers\)",
    ):
        build_features(corpus, TextSettings(min_df=3, max_df=0.5), stop_words=NONE)


def test_limits_are_inclusive(make_corpus) -> None:
    """Terms in 1, 2 and 3 of 4 papers; limits 2 and 0.5 keep the middle one."""
    corpus = make_corpus({"a": "aa bb cc", "b": "bb cc", "c": "cc", "d": "dd"})
    counts = count_terms(tokenise(corpus, TextSettings(), NONE), TextSettings())
    assert list(limit_terms(counts, min_df=2, max_df=0.5).terms) == ["bb"]
    assert list(limit_terms(counts, min_df=1, max_df=1).terms) == ["aa", "dd"]
    assert list(limit_terms(counts, min_df=0.5, max_df=1.0).terms) == ["bb", "cc"]


def test_stop_word_file(tmp_path, make_corpus) -> None:
    """One word a line; comments, blank lines, a byte-order mark and Windows ends are skipped."""
    (tmp_path / "stop.txt").write_bytes("\ufeffmask\r\n\r\n# patch\r\n  été \r\n".encode())
    words = read_stop_words("stop.txt", tmp_path)
    assert words == {"mask", "été"}
    corpus = make_corpus({"a": "Mask patch été"})
    assert tokenise(corpus, TextSettings(), words).tokens == (("patch",),)


def test_missing_stop_word_file_is_named(tmp_path) -> None:
    """The path that was sought stands in the message."""
    with pytest.raises(DataError, match=r"nowhere\.txt: no such file"):
        read_stop_words("nowhere.txt", tmp_path)


def test_stop_word_file_in_another_encoding_is_refused(tmp_path) -> None:
    """A Latin-1 file is refused with the line of the bad byte."""
    (tmp_path / "stop.txt").write_bytes(b"mask\n\xe9t\xe9\n")
    with pytest.raises(DataError, match=r"stop\.txt:2: byte 0xe9 is not UTF-8"):
        read_stop_words("stop.txt", tmp_path)


def test_named_stop_word_lists(tmp_path) -> None:
    """The list "none" is empty and "english" is scikit-learn's list of 318 words, in any folder."""
    assert read_stop_words("none", tmp_path) == frozenset()
    english = read_stop_words("english", tmp_path)
    assert len(english) == 318
    assert {"the", "between", "system"} <= english  # "system" is one of its known flaws


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(words=st.lists(st.sampled_from(["running", "Runs", "ran", "studies", "was"]), min_size=1))
def test_stems_are_counted_together(words: list[str]) -> None:
    """Stemming moves counts between terms and loses none."""
    corpus = Corpus((Paper(key="a", title=" ".join(words)),))
    for stemming in ("none", "porter", "snowball"):
        options = TextSettings(stemming=stemming, weighting="counts", norm="none")
        assert build_features(corpus, options, stop_words=NONE).matrix.sum() == len(words)


def test_text_sources_say_what_was_used() -> None:
    """Every paper counts once; without the abstract among the fields no text was used."""
    papers = (
        Paper(key="a", abstract="x", digest="y"),
        Paper(key="b", digest="y"),
        Paper(key="c", digest="y"),
        Paper(key="d", title="t"),
    )
    used = count_text_sources(Corpus(papers), ("title", "abstract"))
    assert used == {"abstract": 1, "digest": 2, "none": 1}
    titles = count_text_sources(Corpus(papers), ("title",))
    assert titles == {"abstract": 0, "digest": 0, "none": 4}
