"""A survey of 24 papers on three topics, and what a plan of it needs."""

from dataclasses import replace

import numpy as np

from survey_tools.corpus import Corpus
from survey_tools.cuts import cut
from survey_tools.linkage.routes import build_tree, choose_distances
from survey_tools.paper import Paper
from survey_tools.robustness.material import Material, Reference, Target
from survey_tools.robustness.setting import Setting
from survey_tools.settings import ClusteringSettings, CutSettings, TextSettings
from survey_tools.text import build_features

TOPICS = (
    "mask patch pixel reconstruct image autoencoder",
    "video tube clip frame motion temporal",
    "graph node edge molecule protein walk",
)
N_EACH = 8
TEXT = TextSettings(fields=("title", "abstract"), stop_words="none", min_df=1)
CLUSTERING = ClusteringSettings(cut=CutSettings(n_clusters=3))


def plant_corpus(seed: int = 0) -> Corpus:
    """Write papers of twelve words of their topic and three of any."""
    rng = np.random.default_rng(seed)
    words = [topic.split() for topic in TOPICS]
    every = [word for topic in words for word in topic]
    papers = []
    for i in range(len(TOPICS) * N_EACH):
        topic = words[i % len(TOPICS)]
        own = [str(word) for word in rng.choice(topic, 12)]
        others = [str(word) for word in rng.choice(every, 3)]
        title, abstract = " ".join(own[:4]), " ".join(own[4:] + others)
        papers.append(Paper(key=f"p{i:02d}", title=title, abstract=abstract))
    return Corpus(tuple(papers))


def plant_material(**changed) -> Material:
    """Gather what runs on the planted papers need; one axis of the taxonomy is the topic."""
    corpus = plant_corpus()
    features = build_features(corpus, TEXT, stop_words=frozenset())
    tree = build_tree(choose_distances(features, CLUSTERING), CLUSTERING)
    partition = cut(tree, 3)
    targets = tuple(
        Target(name=name, kind="cluster", paper_keys=partition.members(name))
        for name in partition.group_names
    )
    pair = tree.subtree(tree.n_papers)
    targets += (Target(name="first pair", kind="name", paper_keys=pair.paper_keys),)
    material = Material(
        corpus=corpus,
        text=TEXT,
        stop_words={"none": frozenset(), "english": frozenset({"the"})},
        own=Setting.of_survey(TEXT, CLUSTERING, 3),
        reference=Reference.of_tree(tree, partition, targets),
        axes={"topic": np.arange(len(corpus)) % len(TOPICS), "unfiled": np.full(len(corpus), -1)},
        numbers=tuple(range(2, 11)),
        share=0.8,
        seed=7,
        digest="planted",
    )
    return replace(material, **changed) if changed else material
