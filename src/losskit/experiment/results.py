"""What a comparison found: the one document that the report and the command line read.

A *run* trains one model with one loss at one learning rate on one block. A *block* is a seed and a split of the data
drawn with it. In every block each loss's *pilot* runs, which never see the test part, choose its rate by the score on
validation data; the *measured* run follows at that rate, and its scores are of the test part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from losskit.experiment.metrics import Metric
from losskit.experiment.tasks.task import Task

Record = dict[str, Any]
"""What one run leaves, a JSON object.

Always: `loss`, `block`, `rate`, `pilot`, `picture` (of the task's picture, never ranked), `epochs`, `seconds`. A run
that ended badly: `failure` (a line), `kind` ("diverged", "crashed" or "hung") and `trace`. A pilot run:
`validation` (the ranking score, at the threshold that is best there), `step_ms`, `loss_ms`, `steps`. A
measured run these, and:

- `scores`: by the keys of `losskit.experiment.metrics`; None where there is nothing to measure it on;
- `curve`: lists `epoch`, `score` (validation, at 0.5) and `training_loss`;
- `calibration`: lists `confidence`, `right` and `share`, one entry a bin that holds something;
- `thresholds`: lists `threshold`, `score` (test part), for the curve of score against threshold; `chosen` is in scores;
- `gradient`: `start` and `end`, each {place: share of the summed size of the gradient}, and `pixels`, {place: share of
  the elements}. Places of a segmentation: foreground, boundary, background; of labels: right, wrong; of regression:
  largest tenth of errors, the rest;
- `step_ms`, `loss_ms` (medians, forward and backward), `saved_mib` (kept by the loss for its backward pass, in a step),
  `peak_memory_mib` (of the process; None on Windows), `steps`, `examples` (file in the folder with the
  answers on `data.examples()`, at the chosen threshold; of block 0, else None).
"""


@dataclass(frozen=True)
class Done:
    """What a unit left."""

    records: list[Record]  # pilots first
    fresh: list[Record]  # those of them that were not on disk before


@dataclass(frozen=True)
class Interval:
    """A mean over blocks and its t interval; no ends for a single value."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tried:
    """One learning rate of one loss in the pilot."""

    rate: float
    scores: tuple[float | None, ...]  # block by block, on validation data; None where it was not tried, or failed
    failure: str | None  # why, where one failed

    @property
    def mean(self) -> float | None:
        """Over the blocks in which it was tried and finished."""
        finished = [score for score in self.scores if score is not None]
        return sum(finished) / len(finished) if finished else None


@dataclass(frozen=True)
class Pilot:
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
    difference: Interval  # corrected for the number of pairs
    separated: bool  # the difference is not chance at 5 % over the whole family of losses
    blocks: int
    detectable: float | None  # the difference that so many blocks show in four of five repeats
    blocks_to_decide: int | None  # that would separate them if difference and spread stay as they are; None: over 1000


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
    pilots: tuple[Pilot, ...]  # in the order of the losses
    ranking: tuple[Standing, ...]  # best first; empty before the first measured run
    pairs: tuple[Pair, ...]  # every pair of the ranking, in its order
    baseline: str | None  # BCE, cross-entropy or whatever the gain is measured against
    blocks: int  # finished by every loss that finished any
    detectable: float | None  # the difference that this run would have shown (the median pair)
    verdict: str  # one sentence: who ties for best, by how much over the baseline, what would change the answer
    cautions: tuple[str, ...] = field(default=())  # sentences, few groups and failures among them


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it is written down."""

    task: Task
    losses: list[str]
    epochs: int
    findings: Findings
    runs: list[Record]  # measured, finished
    pilots: list[Record]  # finished
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


def groups(ranking: Sequence[Standing]) -> list[list[str]]:
    """Losses by shared letter, best group first; a loss may stand in two."""
    letters = sorted({letter for standing in ranking for letter in standing.letters})
    return [[standing.loss for standing in ranking if letter in standing.letters] for letter in letters]
