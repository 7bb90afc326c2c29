"""The result of a comparison: the one document that the report and the command line read.

A *run* trains one model with one loss at one learning rate on one part of a block. A *block* is a seed and a split of
the data drawn with it. In every block, *tuning* runs train at every rate without the test part; the rate with the best
score on validation data is *tested*. If a task can draw new data, a *fresh* run at that rate, with its own seed and
split, follows, and the score of the block is the mean of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from losskit.experiment.metrics import Metric
from losskit.experiment.tasks.task import Task

Record = dict[str, Any]
"""The record of one run, a JSON object.

Always: `loss`, `block`, `rate`, `role` ("tuning", "tested", "fresh", or "picture" for the task's picture, never
ranked), `epochs`, `seconds`. For a failed run: `failure` (a line), `kind` ("diverged", "crashed", "killed", "hung" or
"disk") and `trace`. From training:

- `validation`: the ranking score, at the best threshold there;
- `curve`: lists `epoch`, `score` (on part of the validation data, at 0.5) and `training_loss`;
- `gradient`: `start` and `end`, each {place: share of the summed absolute gradient}, and `pixels`, {place: share of the
  elements}. Places for segmentation: foreground, boundary, background; for labels: right, wrong; for regression:
  largest tenth of errors, the rest;
- `step_ms`, `loss_ms` (medians, forward and backward), `saved_mib` (saved by the loss for its backward pass, per step),
  `peak_memory_mib` (of the process; None on Windows), `steps`.

From the test, which tuning runs do not have:

- `scores`: by the keys of `losskit.experiment.metrics`; None if there is nothing to measure;
- `calibration`: lists `confidence`, `right` and `share`, one entry per non-empty bin;
- `thresholds`: lists `threshold`, `score` (test part), for the curve of score against threshold; `chosen` is in scores;
- `examples`: file in the folder with the decisions on `data.examples()`, at the chosen threshold; only for block 0.
"""


@dataclass(frozen=True)
class Done:
    """The result of a unit."""

    records: list[Record]  # in the order in which they ran
    fresh: list[Record]  # those that were not on disk before


@dataclass(frozen=True)
class Interval:
    """A mean over blocks and its t interval; no ends for a single value."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tried:
    """One learning rate of one loss."""

    rate: float
    scores: tuple[float | None, ...]  # block by block, on validation data; None where it was not tried, or failed
    failure: str | None  # why, where one failed

    @property
    def mean(self) -> float | None:
        """Over the blocks in which it was tried and finished."""
        finished = [score for score in self.scores if score is not None]
        return sum(finished) / len(finished) if finished else None


@dataclass(frozen=True)
class Tuning:
    """The basis on which the learning rate of a loss was chosen."""

    loss: str
    tried: tuple[Tried, ...]  # rates ascending
    chosen: float | None  # most often; None if every rate failed
    choices: tuple[float | None, ...]  # per block; None if the block was not measured
    edge: str | None  # "lowest" or "highest": in most blocks the best is the last tried on that side, so may lie beyond


@dataclass(frozen=True)
class Pair:
    """Two losses on the blocks that both finished: the better score minus the other, positive."""

    better: str
    worse: str
    difference: Interval  # corrected for the number of pairs and of looks
    separated: bool  # significant at 5 % over all pairs and looks
    blocks: int
    detectable: float | None  # the difference that this many blocks detect with 80 % power
    blocks_to_decide: int | None  # more blocks to separate them, at constant difference and spread; None: over 1000

    def within(self, margin: float) -> bool:
        """Whether the whole interval is within the margin, so that the losses are practically equal."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and -margin <= low and high <= margin

    def over(self, other: str) -> Interval:
        """The difference to this one of the two, positive if it is the worse."""
        found = self.difference
        if other == self.worse or found.low is None or found.high is None:
            return found if other == self.worse else Interval(-found.mean, None, None)
        return Interval(-found.mean, -found.high, -found.low)


@dataclass(frozen=True)
class Verdict:
    """The decision by one score."""

    metric: Metric
    margin: float  # smaller differences do not matter, in the unit of the score
    baseline: str | None
    kind: str
    """"better": `chosen` is better than the baseline, or than all others if there is none. "keep": nothing gains more
    over the baseline than the margin. "same": without a baseline, no two losses differ by more. "open": neither is
    decided. "early": too few blocks. "none": fewer than two losses."""
    chosen: str | None  # the best loss that is better than the baseline
    bound: float | None  # nothing gains more than this over the baseline
    order: tuple[str, ...]  # best first
    letters: Mapping[str, str]
    pairs: tuple[Pair, ...]  # every pair, in order
    gains: Mapping[str, Interval]  # gain of each loss over the baseline

    @property
    def settled(self) -> bool:
        """Whether more blocks would not change the verdict."""
        return self.kind in ("better", "keep", "same", "none")

    def pair(self, one: str, other: str | None) -> Pair | None:
        return next((pair for pair in self.pairs if {pair.better, pair.worse} == {one, other}), None)


@dataclass(frozen=True)
class Standing:
    """One loss over its blocks."""

    loss: str
    rate: float  # chosen most often
    scores: dict[str, Interval | None]  # by the metric's key; None where nothing was measured
    behind: Pair | None  # difference to the best; None for the best itself
    ties: bool  # in the top group: it could be the best
    letters: str  # losses that share a letter do not differ significantly: "a", "ab", "b"
    over_baseline: Interval | None  # its score minus the baseline's, per block; better is positive
    beyond_chance: bool  # that difference is significant
    moves_threshold: bool  # differs from the baseline at 0.5, but not if both choose their threshold
    blocks: int  # finished
    failed: int  # blocks that did not finish
    step_ms: float
    loss_ms: float
    saved_mib: float | None
    peak_memory_mib: float | None
    gradient: dict[str, dict[str, float]]  # mean over the runs: "start", "end", "pixels"


@dataclass(frozen=True)
class Findings:
    """The statistics of the runs so far."""

    metric: Metric  # ranks the losses
    metrics: tuple[Metric, ...]  # measured metrics, the ranking one first
    verdicts: tuple[Verdict, ...]  # by the ranking score, then by the separately ranked one
    tunings: tuple[Tuning, ...]  # in the order of the losses
    ranking: tuple[Standing, ...]  # best first; empty before the first measured run
    baseline: str | None  # BCE, cross-entropy or whatever the gain is measured against
    blocks: int  # blocks finished by every loss that finished any
    settled: bool  # more blocks would not change the verdict
    detectable: float | None  # detectable difference to the baseline (median over losses)
    verdict: str  # the decision, in one or two sentences
    advice: str  # what to do next
    cautions: tuple[str, ...] = field(default=())  # sentences, for example about few groups and failures

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair of the ranking, in its order."""
        return self.verdicts[0].pairs if self.verdicts else ()


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison, and where it is saved."""

    task: Task
    losses: list[str]
    epochs: int
    findings: Findings
    runs: list[Record]  # tested and fresh, finished
    tuning: list[Record]  # finished
    pictures: list[Record]  # of the task's picture, finished
    failures: list[Record]  # of any kind, each with its reason as `failure`
    stage: str  # "measuring" or "done"
    budget: float | None  # minutes
    minutes: float  # spent
    command: str  # reproduces the comparison
    out: Path

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def summary(self) -> Path:
        return self.out / "report.md"

    @property
    def ranking(self) -> tuple[Standing, ...]:
        return self.findings.ranking

    @property
    def verdict(self) -> str:
        return self.findings.verdict

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return self.findings.metrics
