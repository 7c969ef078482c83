"""Arguments and options of the commands that read a survey folder."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "CertifyOption",
    "ClaimsOption",
    "ClustersOption",
    "CondenseOption",
    "EngineOption",
    "LinkageOption",
    "MetricOption",
    "OutOption",
    "PageOption",
    "RobustnessOption",
    "SchedulerOption",
    "ScratchOption",
    "SeedOption",
    "SetOption",
    "StyleOption",
    "SurveyArgument",
]

SurveyArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="SURVEY",
        help="Survey folder with survey.yaml, or a file of papers (Parquet, CSV, JSON lines, "
        "BibTeX, RIS). Default: the bundled survey, Masked Image Modeling.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="Output folder. Default: out/NAME-OF-THE-SURVEY.",
        show_default=False,
    ),
]
LinkageOption = Annotated[
    str | None,
    typer.Option(
        help="ward, average, complete, single, weighted, centroid or median. "
        "Default: survey.yaml, else ward.",
        show_default=False,
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        help="euclidean, cosine, cityblock or jaccard distance. "
        "Default: survey.yaml, else euclidean.",
        show_default=False,
    ),
]
ClustersOption = Annotated[
    int | None,
    typer.Option(
        "--n-clusters",
        "-k",
        help="Clusters to cut the tree into, 1 to the number of papers. "
        "Default: survey.yaml, else 10.",
        show_default=False,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Seed of all chance, a whole number from 0. Default: survey.yaml, else 0.",
        show_default=False,
    ),
]
PageOption = Annotated[
    str | None,
    typer.Option(
        help="Page of the dendrogram: tall (210 mm wide, as tall as needed), a4 or letter. "
        "Default: survey.yaml, else tall.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting of survey.yaml by dotted name, for example text.min_df=3 (papers) or "
        "text.ngram_range=[1,2] (tokens); may be repeated.",
        show_default=False,
    ),
]


StyleOption = Annotated[
    str | None,
    typer.Option(
        help="Shape of the dendrogram: left-right, top-down, circular, collapsed, overview or "
        "heat-map. Default: survey.yaml, else left-right up to 2,000 papers.",
        show_default=False,
    ),
]
CertifyOption = Annotated[
    bool,
    typer.Option(
        "--certify",
        help="Replay the tree and check that every merge was the cheapest of all possible ones.",
    ),
]
CondenseOption = Annotated[
    int | None,
    typer.Option(
        "--condense",
        metavar="N",
        help="For a file of more papers than can be merged exactly: make N micro-clusters first "
        "and merge those exactly.",
        show_default=False,
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        help="With --condense, who computes the shards: local or dask. Default: local.",
        show_default=False,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="With --engine dask: the scheduler of a running cluster, tcp://host:port. "
        "Default: a cluster on this machine.",
        show_default=False,
    ),
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="With --condense, where shards lie while it runs; workers on other machines must see "
        "it. Default: the system's folder for temporary files.",
        show_default=False,
    ),
]
RobustnessOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Output folder of survey-tools robustness, run on the same survey with the same "
        "settings, whose section the report takes over.",
        show_default=False,
    ),
]
ClaimsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Output folder of survey-tools claims, run on the same claims, whose section the "
        "report takes over.",
        show_default=False,
    ),
]
