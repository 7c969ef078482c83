"""A survey folder of the planted papers, with a small plan of every kind of run."""

import json
from pathlib import Path

import yaml
from planted_papers import plant_corpus

SMALL = {
    "n_settings": 40,
    "n_subsamples": 6,
    "n_paper_bootstraps": 6,
    "n_term_bootstraps": 4,
    "n_orders": 2,
    "n_seeds": 2,
    "n_replicates": 30,
    "scales": [0.6, 1.0, 1.4],
    "n_nulls": 3,
    "n_null_subsamples": 3,
    "n_null_replicates": 10,
    "most_clusters": 8,
    "factors": {
        "ngrams": ["1-1", "1-2"],
        "min_df": [1, 2],
        "max_df": [1.0],
        "reduction": ["none", "lsa-3", "lsa-50"],
        "algorithm": ["ward", "average", "k-means", "hdbscan"],
        "stemming": ["none"],
        "n_clusters": [2, 3],
    },
}


def write_survey(folder: Path, **robustness) -> Path:
    """Write survey.yaml, papers, a taxonomy of topics, and two names, one of them not found."""
    folder.mkdir(parents=True)
    corpus = plant_corpus()
    lines = [
        json.dumps({"key": paper.key, "title": paper.title, "abstract": paper.abstract})
        for paper in corpus
    ]
    (folder / "papers.jsonl").write_text("\n".join(lines) + "\n")
    topics = [[key for i, key in enumerate(corpus.keys) if i % 3 == topic] for topic in range(3)]
    scattered = [topic[0] for topic in topics]
    names = [
        {"name": "second topic", "papers": topics[1]},
        {"name": "scattered", "papers": scattered},
    ]
    taxonomy = {
        "title": "Topics",
        "axes": {
            "topic": {
                "title": "Topic",
                "description": "What it is about.",
                "labels": {"videos": {"title": "Videos", "description": "Moving images."}},
            }
        },
        "papers": {key: ({"topic": ["videos"]} if key in topics[1] else {}) for key in corpus.keys},
    }
    settings = {
        "title": "Planted topics",
        "papers": "papers.jsonl",
        "subtrees": "subtrees.yaml",
        "taxonomy": "taxonomy.yaml",
        "seed": 3,
        "text": {"stop_words": "none"},
        "clustering": {"cut": {"n_clusters": 3}},
        "figures": {"formats": ["svg"]},
        "robustness": {**SMALL, **robustness},
    }
    for name, data in (
        ("survey.yaml", settings),
        ("subtrees.yaml", {"names": names}),
        ("taxonomy.yaml", taxonomy),
    ):
        (folder / name).write_text(yaml.safe_dump(data, sort_keys=False))
    return folder
