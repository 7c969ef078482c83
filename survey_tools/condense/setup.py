"""The set-up of a condensed run in words: method and every setting, ready to be pasted."""

from survey_tools.condense.record import Condensed
from survey_tools.errors import count
from survey_tools.partition import Partition
from survey_tools.settings import ClusteringSettings, CondenseSettings, Settings, printed_name

__all__ = ["describe_condensing", "describe_loss", "describe_merging"]


def describe_condensing(condensed: Condensed, *, is_scaled: bool) -> str:
    """Say how papers became micro-clusters."""
    condense, text = condensed.condense, condensed.text
    n_papers = len(condensed.paper_keys)
    sources = condensed.text_sources
    parts = [
        (sources.get("abstract", 0), "by an abstract"),
        (sources.get("digest", 0), "by a digest in the survey's own words"),
        (sources.get("none", 0), "by the title alone"),
    ]
    described = ", ".join(f"{n:,} {how}" for n, how in parts if n)
    scaled = ", then scaled to unit length" if is_scaled and text.norm != "l2" else ""
    unit = ", scaled to unit length again," if is_scaled or text.norm == "l2" else ""
    n_basis = min(condense.n_basis_papers, n_papers)
    return (
        f"{n_papers:,} papers ({described}) are described by {len(condensed.terms):,} terms "
        f"({_list_settings(text)}){scaled}. Too many for an exact tree, they are first condensed: "
        f"the rows are projected{unit} on the first {condense.n_components} components (or as many "
        f"as there are) of a singular value decomposition (latent semantic analysis) of "
        f"{n_basis:,} papers drawn at random; {_describe_centres(condense)}; every paper is "
        "assigned to the nearest centre, and of every micro-cluster the mean of its papers' "
        "full rows is computed. Centres depend on the order of the papers in the file and on "
        f"the size of a shard ({condense.n_at_once:,} papers). "
        f"{count(len(condensed.n_papers), 'micro-cluster')} of "
        f"{int(condensed.n_papers.min()):,} to {int(condensed.n_papers.max()):,} papers resulted."
    )


def _list_settings(settings: Settings) -> str:
    """List all settings by name, so that none is forgotten."""
    return "; ".join(
        f"{name.replace('_', ' ')} {_print(value)}" for name, value in settings.model_dump().items()
    )


def _print(value: object) -> str:
    if isinstance(value, tuple):
        return " to ".join(map(str, value)) if isinstance(value[0], int) else " + ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _describe_centres(condense: CondenseSettings) -> str:
    n_wanted = f"{condense.n_micro_clusters:,}"
    if condense.method == "birch":
        return (
            f"BIRCH (scikit-learn) reads the points once, its threshold chosen on a "
            f"part of them to give near {n_wanted} sub-clusters and raised by 2 % whenever there "
            "are more; their centres are the micro-centres"
        )
    return (
        f"{n_wanted} micro-centres are chosen by k-means++ from 3 times as many points, in groups "
        "of some 1,000, and fitted by mini-batch k-means (scikit-learn, no reassignment) in "
        f"{condense.n_passes} "
        "passes over all points, a shard a step"
    )


def describe_loss(condensed: Condensed) -> str:
    """Say how much of the papers' variance the micro-clusters hide."""
    return (
        f"{100 * condensed.variance_lost:.1f} % of the papers' variance lies inside "
        "micro-clusters, where the tree cannot see it. In texts most variance is words that "
        "two papers of one subject do not share, so this share is high even where clusters "
        "are not harmed."
    )


def describe_merging(clustering: ClusteringSettings, partition: Partition) -> str:
    """Say how micro-clusters became a tree and where it is cut."""
    cut = clustering.cut
    where = f"at inconsistency {cut.inconsistency!r} (depth {cut.inconsistency_depth})"
    if cut.n_clusters is not None:
        where = f"into {cut.n_clusters:,}"
    elif cut.height is not None:
        where = f"at height {cut.height!r}"
    elif cut.gap:
        where = f"in the widest gap of merge heights between {cut.fewest} and {cut.most} clusters"
    return (
        f"The micro-clusters, each weighted by its papers, are merged exactly by "
        f"{printed_name(clustering.linkage)} linkage on {printed_name(clustering.metric)} "
        "distances of their mean rows, merge heights rounded to 10 decimals, of two sub-trees "
        f"the one merged earlier comes first, and the tree is cut {where}, which gives "
        f"{count(partition.n_groups, 'cluster')}."
    )
