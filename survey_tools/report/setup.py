"""The set-up paragraph: all that a method section must state, ready to be pasted."""

from survey_tools.errors import count
from survey_tools.linkage.routes import leaf_order_of, needs_matrix
from survey_tools.results import StudyResult
from survey_tools.settings import ClusteringSettings, TextSettings, printed_name
from survey_tools.text import Features, count_text_sources

__all__ = ["write_setup"]

_STEMMERS = {"porter": "Porter's stemmer (NLTK)", "snowball": "the English Snowball stemmer (NLTK)"}


def write_setup(result: StudyResult) -> str:
    """Write the set-up of a run as a paragraph of plain text."""
    sentences = [_describe_text(result), _describe_terms(result.features)]
    sentences.append(_describe_tree(result))
    if result.crosscheck is not None:
        sentences.append(_describe_crosscheck(result))
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    sentences.append(f"Computed with {versions}; seed {result.settings.seed}.")
    return " ".join(sentences)


def _describe_text(result: StudyResult) -> str:
    settings = result.settings.text
    n_papers = len(result.corpus)
    sources = count_text_sources(result.corpus, result.settings.text.fields)
    fields = " and ".join(settings.fields)
    detail = ""
    if "abstract" in settings.fields:
        parts = [
            (sources["abstract"], "by the authors' abstract"),
            (sources["digest"], "by a digest in the survey's own words that stands in for it"),
            (sources["none"], "by the title alone"),
        ]
        detail = f" ({', '.join(f'{n} {how}' for n, how in parts if n)})"
    order = ", concatenated in this order" if len(settings.fields) > 1 else ""
    return f"The {n_papers} papers are described by {fields}{order}{detail}."


def _describe_terms(features: Features) -> str:
    settings = features.settings
    case = "lower-cased and " if settings.lowercase else ""
    stop = {
        "none": "no stop words are removed",
        "english": "scikit-learn's English stop words are removed",
    }.get(settings.stop_words, f"the stop words of {settings.stop_words} are removed")
    stem = "tokens are not stemmed"
    if settings.stemming != "none":
        stem = f"tokens are then stemmed by {_STEMMERS[settings.stemming]}"
    shortest, longest = settings.ngram_range
    runs = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    unit = f"runs of {runs} tokens"
    if settings.analyser == "characters":
        unit = f"runs of {runs} characters inside tokens, with a space before and after,"
    elif (shortest, longest) == (1, 1):
        unit = "single tokens"
    limit = ""
    if settings.max_features is not None:
        limit = f", of them the {settings.max_features} most frequent"
    return (
        f"Texts are {case}split into tokens by the regular expression {settings.token_pattern}; "
        f"{stop}; {stem}. Terms are {unit} that stand in at least {_papers(settings.min_df)} and "
        f"at most {_papers(settings.max_df)}{limit}: {len(features.terms)} terms, "
        f"{_weighting(settings)}, {_norm(settings)}."
    )


def _papers(limit: int | float) -> str:
    if isinstance(limit, int):
        return f"{limit} paper" + ("s" if limit != 1 else "")
    return f"{limit!r} of the papers" if limit < 1 else "all papers"


def _weighting(settings: TextSettings) -> str:
    smooth = "smoothed" if settings.smooth_idf else "unsmoothed"
    return {
        "counts": "weighted by their counts",
        "binary": "weighted 1 where present",
        "tf-idf": f"weighted by tf-idf with {smooth} idf",
        "sublinear-tf-idf": f"weighted by tf-idf with sublinear tf (1 + ln tf) and {smooth} idf",
        "bm25": f"weighted by BM25 (k1 = {settings.bm25_k1!r}, b = {settings.bm25_b!r})",
    }[settings.weighting]


def _norm(settings: TextSettings) -> str:
    return "not normalised" if settings.norm == "none" else f"each paper {settings.norm}-normalised"


def _describe_tree(result: StudyResult) -> str:
    clustering = result.settings.clustering
    cut = clustering.cut
    n_obtained = count(result.partition.n_groups, "cluster")
    if cut.n_clusters is not None:
        where = f"into {count(cut.n_clusters, 'cluster')}"
    elif cut.height is not None:
        where = f"at height {cut.height!r}, which gives {n_obtained}"
    elif cut.gap:
        where = (
            f"in the widest gap between merge heights that leaves {cut.fewest} to {cut.most} "
            f"clusters, which gives {n_obtained}"
        )
    elif cut.silhouette:
        where = (
            f"where the mean silhouette of {cut.fewest} to {cut.most} clusters is greatest, which "
            f"gives {n_obtained}"
        )
    else:
        where = (
            f"at inconsistency {cut.inconsistency!r} (depth {cut.inconsistency_depth}), which "
            f"gives {n_obtained}"
        )
    n_papers = len(result.corpus)
    order = {
        "merge": "of two sub-trees the one merged earlier comes first",
        "ends": "each merge brings the nearest ends of its two sub-trees together (Gruvaeus and "
        "Wainer)",
        "optimal": "leaves are ordered so that neighbours are as near as the tree allows",
    }[leaf_order_of(clustering, n_papers)]
    linkage, metric = printed_name(clustering.linkage), printed_name(clustering.metric)
    how = "computed from the rows, of equal distances the first by key, merge heights rounded"
    if needs_matrix(clustering, n_papers):
        n_decimals = 12 if clustering.precision == "float64" else 6
        how = f"rounded to {n_decimals} decimals, merge heights rounded"
    program = " (scipy)" if needs_matrix(clustering, n_papers) else ""
    certified = f" {result.certificate.verdict}" if result.certificate is not None else ""
    return (
        f"{_describe_rows(clustering)}Papers, sorted by key, are merged by {linkage} linkage on "
        f"{metric} distances {how} to 10{program}, {order}, and the tree is cut {where}.{certified}"
    )


def _describe_rows(clustering: ClusteringSettings) -> str:
    """Say what is clustered, where it is not the weighted terms."""
    if clustering.rows == "lsa":
        return (
            f"Weighted terms are reduced to {clustering.n_components} dimensions by truncated SVD "
            "(latent semantic analysis) and normalised again. "
        )
    if clustering.rows == "embeddings":
        return "Instead of terms, vectors from outside are clustered; terms describe clusters. "
    return ""


def _describe_crosscheck(result: StudyResult) -> str:
    assert result.crosscheck is not None
    settings = result.settings.crosscheck
    tests = ""
    if settings.n_permutations:
        tests += (
            f", with p-values from {settings.n_permutations:,} random relabellings, adjusted over "
            "axes by Benjamini and Hochberg's procedure"
        )
    if settings.n_resamples:
        tests += (
            f", {'and' if tests else 'with'} {100 * settings.confidence:.10g}% intervals from "
            f"{settings.n_resamples:,} half-samples of the papers"
        )
    trees = ""
    if result.crosscheck.trees is not None:
        trees = (
            " The dendrogram is compared with the average-linkage tree of the Jaccard distances of "
            "the papers' label sets over all axes (cophenetic correlation, Baker's gamma, triplet "
            "and Robinson-Foulds distances, element-centric similarity, Bk, Mantel's test)."
        )
    searched = ""
    if settings.n_permutations:
        searched = ", against as many papers drawn at random and searched for in the same tree"
    n_unfiled, n_missing = (
        len(keys) for keys in (result.crosscheck.unfiled_keys, result.crosscheck.missing_keys)
    )
    parts = [f"{count(n_unfiled, 'paper')} that it does not file"] if n_unfiled else []
    if n_missing:
        parts.append(f"{count(n_missing, 'filed paper')} not among those clustered")
    left_out = f" ({' and '.join(parts)} left out)" if parts else ""
    witnesses = f"its {settings.n_nearest} nearest papers by cosine, its cluster, its silhouette"
    if settings.ask_holdout:
        held = result.settings.holdout
        witnesses += (
            f" and a linear classifier that did not see it ({held.n_folds} folds, "
            f"{count(held.n_repeats, 'repeat')})"
        )
    return (
        f"Clusters are compared with the manual taxonomy on {result.crosscheck.n_papers} papers"
        f"{left_out} by indices of partitions (adjusted Rand index and adjusted mutual information "
        "with arithmetic mean are tested) and of label sets (Omega, extended BCubed, overlapping "
        f"NMI, element-centric similarity){tests}. Every label is sought in the tree by its best F1"
        f"{searched}. The labels of each paper are held against {witnesses}.{trees}"
    )
