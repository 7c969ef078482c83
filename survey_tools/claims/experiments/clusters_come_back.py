"""Whether clusters come back: with fewer papers, and with other choices than the survey's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from survey_tools.claims.estimate import estimate_mean
from survey_tools.claims.experiment import (
    Experiment,
    Findings,
    FindingTable,
    Outcome,
    Outcomes,
    Parameters,
    Size,
    Trial,
    TrialKind,
)
from survey_tools.claims.experiments.own_papers import refuse
from survey_tools.claims.survey_material import SurveyMaterial
from survey_tools.errors import ParameterError
from survey_tools.robustness.material import Material
from survey_tools.robustness.run import Run
from survey_tools.robustness.setting import Setting, parse_level

__all__ = ["EXPERIMENT"]

_OWN = "own"
_DEFAULTS = {"settings": [_OWN]}


def _statistics(parameters: Parameters) -> list[str]:
    settings = parameters["settings"]
    if not settings or len(set(settings)) < len(settings):
        raise ParameterError(f"settings={list(settings)}: one or more are wanted, none twice")
    for words in settings:
        _read_levels(words)
    names = [name for words in settings for name in (_jaccard(words), _information(words))]
    return [*names, *(_loss(words) for words in _others(settings))]


def _others(settings: Sequence[str]) -> list[str]:
    """Return the settings that are compared with the survey's own; none if it is not among them."""
    return [words for words in settings if words != _OWN] if _OWN in settings else []


def _loss(words: str) -> str:
    return f"{words} less {_OWN}: mean best Jaccard of the clusters"


def _jaccard(words: str) -> str:
    return f"{words}: mean best Jaccard of the clusters"


def _information(words: str) -> str:
    return f"{words}: AMI with the clusters"


def _read_levels(words: str) -> dict[str, str | int | float]:
    """Read "ngrams=1-2 algorithm=average": the choices that differ from the survey's own."""
    levels = {}
    for word in () if words == _OWN else words.split():
        name, _, level = word.partition("=")
        if name in levels:
            raise ParameterError(f"settings: {words!r} gives {name} twice")
        levels[name] = parse_level(name, _number_of(level))
    if not levels and words != _OWN:
        raise ParameterError(f"settings: {words!r}; write {_OWN} or choices such as ngrams=1-2")
    return levels


def _number_of(text: str) -> str | int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _measure(material: Material, parameters: Parameters, seed: int) -> Outcome:
    """Cluster a share of the papers, and seek every cluster of all papers again."""
    from survey_tools.robustness.workbench import do_runs  # loads scikit-learn

    run = Run(
        setting=Setting.from_levels(parameters["setting"]),
        resample="papers-subsample",
        draw=seed,
    )
    (found,) = do_runs(material, (run,))
    information = found.agreement.get("AMI")
    if found.failure or information is None:
        raise ParameterError(found.failure or "AMI is not defined for these clusters")
    held = [score for score in found.in_clusters if score is not None]
    return {"jaccard": sum(held) / len(held), "information": information}


def _of_survey(material: SurveyMaterial) -> Experiment:
    """Return the experiment on these papers; a trial depends on the digest of all that it reads."""

    def plan_one(words: str, seed: int) -> Trial:
        clusters = material.clusters
        setting = clusters.own.replace(**_read_levels(words))
        if problem := setting.why_meaningless():
            raise ParameterError(f"settings: {words!r} has no meaning: {problem}")
        if setting.stop_words not in clusters.stop_words:
            known = " or ".join(sorted(clusters.stop_words))
            raise ParameterError(
                f"settings: {words!r}: stop_words is {known} in a claim; the command robustness "
                "takes other lists"
            )
        kind = TrialKind(
            name="clusters come back", version=1, run=partial(_measure, clusters), needs_torch=False
        )
        read = {"material": clusters.digest, "setting": setting.levels()}
        return Trial.of(kind, read, seed)

    def plan(parameters: Parameters, _: Size, seeds: Sequence[int]) -> list[Trial]:
        return [plan_one(words, seed) for words in parameters["settings"] for seed in seeds]

    def summarise(
        parameters: Parameters, _: Size, seeds: Sequence[int], outcomes: Outcomes
    ) -> Findings:
        found = {
            words: [outcomes[plan_one(words, seed)] for seed in seeds]
            for words in parameters["settings"]
        }
        return _summarise(found, share=material.clusters.share)

    return replace(EXPERIMENT, plan=plan, summarise=summarise, of_survey=None)


def _summarise(found: Mapping[str, Sequence[Outcome]], *, share: float) -> Findings:
    estimates, rows = [], []
    for words, outcomes in found.items():
        means = [
            estimate_mean(_jaccard(words), (o["jaccard"] for o in outcomes)),
            estimate_mean(_information(words), (o["information"] for o in outcomes)),
        ]
        estimates += means
        rows += [
            (words, what, mean.value, mean.low, mean.high)
            for what, mean in zip(("mean best Jaccard", "AMI"), means, strict=True)
        ]
    for words in _others(list(found)):
        pairs = zip(found[words], found[_OWN], strict=True)  # the same papers are left out
        loss = estimate_mean(_loss(words), (a["jaccard"] - b["jaccard"] for a, b in pairs))
        estimates.append(loss)
        rows.append((f"{words} less {_OWN}", "mean best Jaccard", loss.value, loss.low, loss.high))
    table = FindingTable(
        name="come-back",
        title="Clusters of all papers found again among those of fewer",
        columns=("setting", "score", "mean", "low", "high"),
        rows=tuple(rows),
    )
    note = (
        f"Every seed leaves {1 - share:.0%} of the papers out. A cluster counts by the Jaccard "
        "score of the cluster that is most like it; from 0.75 on one is called stable, up to 0.5 "
        "dissolved (Hennig 2007). Small clusters find something like them by chance; AMI corrects "
        "for that. Intervals are of the mean over draws from these papers, which overlap; they say "
        "nothing of other papers."
    )
    return Findings(estimates=tuple(estimates), tables=(table,), notes=(note,))


EXPERIMENT = Experiment(
    name="clusters come back",
    title="clusters sought again among fewer papers, with the survey's or with other choices",
    defaults=_DEFAULTS,
    statistics=_statistics,
    plan=refuse,
    summarise=refuse,
    of_survey=_of_survey,
)
