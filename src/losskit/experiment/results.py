"""What a comparison found: the one document that the report and the command line read.

A *run* trains one model with one loss at one learning rate on one part of a block. A *block* is a seed and a split of
the data drawn with it. In every block *tuning* runs train at every rate, and never see the test part; the rate with the
best score on validation data is *tested*. Where a task can draw new data, a *fresh* run at that rate, on a seed and a
split of its own, follows, and the block's score is the mean of the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from losskit.experiment.metrics import Metric
from losskit.experiment.tasks.task import Task

Record = dict[str, Any]
"""What one run leaves, a JSON object.

Always: `loss`, `block`, `rate`, `role` ("tuning", "tested", "fresh", or "picture", of the task's picture and never
ranked), `epochs`, `seconds`. A run that ended badly: `failure` (a line), `kind` ("diverged", "crashed", "killed",
"hung" or "disk") and `trace`. Of the training:

- `validation`: the ranking score, at the threshold that is best there;
- `curve`: lists `epoch`, `score` (some of validation, at 0.5) and `training_loss`;
- `gradient`: `start` and `end`, each {place: share of the summed size of the gradient}, and `pixels`, {place: share of
  the elements}. Places of a segmentation: foreground, boundary, background; of labels: right, wrong; of regression:
  largest tenth of errors, the rest;
- `step_ms`, `loss_ms` (medians, forward and backward), `saved_mib` (kept by the loss for its backward pass, in a step),
  `peak_memory_mib` (of the process; None on Windows), `steps`.

Of the test, which a tuning run has not:

- `scores`: by the keys of `losskit.experiment.metrics`; None where there is nothing to measure it on;
- `calibration`: lists `confidence`, `right` and `share`, one entry a bin that holds something;
- `thresholds`: lists `threshold`, `score` (test part), for the curve of score against threshold; `chosen` is in scores;
- `examples`: file in the folder with the answers on `data.examples()`, at the chosen threshold; of block 0, else None.
"""


@dataclass(frozen=True)
class Done:
    """What a unit left."""

    records: list[Record]  # in the order in which they ran
    fresh: list[Record]  # those of them that were not on disk before


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
    """What a loss's learning rate was chosen from."""

    loss: str
    tried: tuple[Tried, ...]  # rates ascending
    chosen: float | None  # most often; None where every rate failed
    choices: tuple[float | None, ...]  # block by block; None where the block was not measured
    edge: str | None  # "lowest" or "highest": in most blocks the best is the last tried on that side, so may lie beyond


@dataclass(frozen=True)
class Pair:
    """Two losses on the blocks that both finished: the better one's score less the other's, positive."""

    better: str
    worse: str
    difference: Interval  # corrected for the number of pairs and of looks
    separated: bool  # the difference is not chance at 5 % over all pairs and looks
    blocks: int
    detectable: float | None  # the difference that so many blocks show in four of five repeats
    blocks_to_decide: int | None  # that would separate them if difference and spread stay as they are; None: over 1000

    def within(self, margin: float) -> bool:
        """Whether the whole interval is, so that the losses are the same for all practical purposes."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and -margin <= low and high <= margin

    def over(self, other: str) -> Interval:
        """The difference to this one of the two, positive where it is the worse."""
        found = self.difference
        if other == self.worse or found.low is None or found.high is None:
            return found if other == self.worse else Interval(-found.mean, None, None)
        return Interval(-found.mean, -found.high, -found.low)


@dataclass(frozen=True)
class Verdict:
    """What one score decides."""

    metric: Metric
    margin: float  # differences below it do not matter, in the unit of the score
    baseline: str | None
    kind: str
    """"better": `chosen` is better than the baseline, or than all others where there is none. "keep": nothing gains
    more over the baseline than the margin. "same": without a baseline, no two losses differ by more. "open": neither
    is known. "early": too few blocks. "none": fewer than two losses."""
    chosen: str | None  # the best of those that are better than the baseline
    bound: float | None  # nothing gains more than this over the baseline
    order: tuple[str, ...]  # best first
    letters: Mapping[str, str]
    pairs: tuple[Pair, ...]  # every pair, in order
    gains: Mapping[str, Interval]  # of each loss over the baseline

    @property
    def settled(self) -> bool:
        """More blocks would not change what is said."""
        return self.kind in ("better", "keep", "same", "none")

    def pair(self, one: str, other: str | None) -> Pair | None:
        return next((pair for pair in self.pairs if {pair.better, pair.worse} == {one, other}), None)


@dataclass(frozen=True)
class Standing:
    """One loss over its blocks."""

    loss: str
    rate: float  # chosen most often
    scores: dict[str, Interval | None]  # by the metric's key; None where nothing was measured
    behind: Pair | None  # against the best; None for the best itself
    ties: bool  # stands in the group at the top: it could be the best
    letters: str  # losses that share a letter cannot be told apart: "a", "ab", "b"
    over_baseline: Interval | None  # its score less the baseline's, block by block, better is positive
    beyond_chance: bool  # that difference is
    moves_threshold: bool  # differs from the baseline at 0.5, and no longer when both choose their threshold
    blocks: int  # finished
    failed: int  # blocks that did not finish
    step_ms: float
    loss_ms: float
    saved_mib: float | None
    peak_memory_mib: float | None
    gradient: dict[str, dict[str, float]]  # mean of the runs': "start", "end", "pixels"


@dataclass(frozen=True)
class Findings:
    """All that the statistics say about the runs so far."""

    metric: Metric  # ranks the losses
    metrics: tuple[Metric, ...]  # that were measured, the ranking one first
    verdicts: tuple[Verdict, ...]  # by the ranking score, then by one that is ranked apart
    tunings: tuple[Tuning, ...]  # in the order of the losses
    ranking: tuple[Standing, ...]  # best first; empty before the first measured run
    baseline: str | None  # BCE, cross-entropy or whatever the gain is measured against
    blocks: int  # finished by every loss that finished any
    settled: bool  # more blocks would not change the verdict
    detectable: float | None  # over the baseline, that this run would have shown (the median loss)
    verdict: str  # the decision, in one or two sentences
    advice: str  # what to do next
    cautions: tuple[str, ...] = field(default=())  # sentences, few groups and failures among them

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every pair of the ranking, in its order."""
        return self.verdicts[0].pairs if self.verdicts else ()


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it is written down."""

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
    command: str  # does it all again
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
