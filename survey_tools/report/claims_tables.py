"""Claims -> tables (pandas)."""

from collections.abc import Iterator

import pandas as pd

from survey_tools.claims.ledger import Ledger

__all__ = ["claim_table", "decision_table", "list_finding_tables"]


def claim_table(ledger: Ledger) -> pd.DataFrame:
    """One row a claim: the verdict, and what it is of."""
    rows = [
        {
            "claim": found.claim.id,
            "verdict": found.verdict,
            "verdict_jointly": found.verdict_jointly,
            "text": found.claim.text,
            "where": found.claim.where,
            "experiment": found.claim.experiment.name,
            "data": found.claim.data,
            "n_seeds": found.n_seeds,
            "not_run": found.not_run,
            "not_tested": found.claim.not_tested,
        }
        for found in ledger.claims
    ]
    return pd.DataFrame(rows)


def decision_table(ledger: Ledger) -> pd.DataFrame:
    """One row a rule that was applied: estimate, interval, threshold and what it decides."""
    columns = [
        "claim",
        "role",
        "statistic",
        "value",
        "low",
        "high",
        "n_seeds",
        "is_counted",
        "unit",
    ]
    columns += ["comparison", "threshold", "margin", "verdict", "reason"]
    rows = [
        (
            found.claim.id,
            role,
            decision.rule.statistic,
            decision.estimate.value,
            decision.estimate.low,
            decision.estimate.high,
            decision.estimate.n,
            decision.estimate.is_counted,
            decision.estimate.unit,
            decision.rule.comparison,
            decision.rule.threshold,
            decision.rule.margin,
            decision.verdict,
            decision.reason,
        )
        for found in ledger.claims
        for role, decisions in (("requires", found.requirements), ("rule", found.decisions))
        for decision in decisions
    ]
    return pd.DataFrame(rows, columns=columns)


def list_finding_tables(ledger: Ledger) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the tables of each experiment with the stem of its file; equal ones once."""
    seen = set()
    for found in ledger.claims:
        for table in found.findings.tables if found.findings else ():
            if table in seen:
                continue
            seen.add(table)
            stem = f"{found.claim.id}-{table.name}"
            yield stem, pd.DataFrame(table.rows, columns=list(table.columns))
