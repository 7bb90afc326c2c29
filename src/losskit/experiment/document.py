"""A comparison as JSON: `losskit compare --json`."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from losskit.experiment.results import Comparison, Interval, Standing, Verdict


def document(found: Sequence[Comparison], report: Path) -> dict[str, Any]:
    """Comparisons and their report; a number that is not finite is null."""
    result: dict[str, Any] = _finite({"report": str(report), "comparisons": [_comparison(each) for each in found]})
    return result


def _comparison(comparison: Comparison) -> dict[str, Any]:
    findings = comparison.findings
    return {
        "task": comparison.task.name,
        "verdict": findings.verdict,
        "advice": findings.advice,
        "cautions": list(findings.cautions),
        "decisions": [_decision(verdict) for verdict in findings.verdicts],
        "baseline": findings.baseline,
        "blocks": findings.blocks,
        "metrics": {metric.key: metric.label for metric in findings.metrics},
        "ranking": [_standing(standing) for standing in findings.ranking],
        "failures": [
            {key: record.get(key) for key in ("loss", "block", "role", "rate", "kind", "failure")}
            for record in comparison.failures
        ],
        "minutes": comparison.minutes,
        "command": comparison.command,
        "report": str(comparison.report),
    }


def _decision(verdict: Verdict) -> dict[str, Any]:
    return {
        "metric": verdict.metric.key,
        "kind": verdict.kind,
        "chosen": verdict.chosen,
        "margin": verdict.margin,
        "bound": verdict.bound,
    }


def _standing(standing: Standing) -> dict[str, Any]:
    """One loss, without the difference to the best, which follows from the scores."""
    return {
        "loss": standing.loss,
        "group": standing.letters,
        "rate": standing.rate,
        "scores": {key: _interval(score) for key, score in standing.scores.items()},
        "over_baseline": _interval(standing.over_baseline),
        "significant": standing.beyond_chance,
        **{key: getattr(standing, key) for key in ("blocks", "failed", "step_ms", "loss_ms", "peak_memory_mib")},
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
