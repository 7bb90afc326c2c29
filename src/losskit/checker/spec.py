"""Spec: what a loss takes, concluded from trial calls or stated by the user."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from losskit.checker.calling import Way

KINDS = (
    *("binary", "multilabel", "multiclass", "ordinal", "regression", "distribution"),
    *("pairs", "sequence", "survival", "penalty"),
)
SCORES = (
    *("logits", "probabilities", "log_probabilities", "values", "log_rates", "rates", "distances", "embeddings"),
    *("boxes", "images", "positive"),
)
LAYOUTS = {
    "same": "a float target of the input's shape, (N, C, *)",
    "same-integers": "an integer target of the input's shape, (N, C, *)",
    "no-channel": "a target (N, *) for an input (N, 1, *)",
    "bare": "input and target (N, *), without a channel dimension",
    "signs": "a target of 1 and -1 in the input's shape",
    "indices": "class indices (N, *)",
    "indices-channel": "class indices (N, 1, *)",
    "one-hot": "one-hot (N, C, *)",
    "soft": "a distribution over the classes (N, C, *)",
    "label-lists": "class indices (N, C), each row ended by -1",
    "counts": "counts, 0 and above, in the input's shape",
    "with-variance": "a target of the input's shape, and a variance for each element",
    "log-soft": "log-probabilities of a distribution, in the input's shape",
    "order": "1 if the first should rank above the second, else -1",
    "alike": "1 for similar pairs, else -1, (N,)",
    "alike-1": "1 for similar pairs, else 0, (N,)",
    "alike-0": "0 for similar pairs, else 1, (N,)",
    "alike-1-column": "1 for similar pairs, else 0, (N, 1)",
    "alike-0-column": "0 for similar pairs, else 1, (N, 1)",
    "triplets": "an anchor, a positive and a negative",
    "partners": "two views of the same samples, (N, D) each",
    "groups": "embeddings (N, D) and their group labels, (N,)",
    "sequences": "labels (N, S), and the lengths of inputs and targets",
    "variance-between": "a variance for each element, then a target of the input's shape",
    "with-log-variance": "a target of the input's shape, and a log-variance for each element",
    "log-variance-between": "a log-variance for each element, then a target of the input's shape",
    "quantiles": "one number per sample, (N,), for an input of several quantiles, (N, Q)",
    "boxes": "boxes (N, 4), corners x1 < x2 and y1 < y2",
    "centred": "boxes (N, 4), centre, width and height",
    "sides": "positive distances (N, 4) to the sides of a box",
    "heatmap": "heatmaps (N, C, H, W) that fall from 1 at each object",
    "images": "images (N, 3, H, W) in [0, 1]",
    "ranks": "ranks 0 to K - 1, (N,), for an input of K - 1 thresholds",
    "teacher": "logits of a teacher, in the input's shape",
    "teacher-and-labels": "logits of a teacher, and class indices",
    "above": "scores that should be below those of the input",
    "survival": "a time and an event indicator, (N,) each",
    "bins": "the interval of each sample, (N,), and whether the event was seen",
    "censored-bins": "the interval of each sample, (N,), and 1 if it was censored",
    "elbo": "the data to reconstruct, and the mean and log-variance of a posterior, (N, Z) each",
    "batch-first": "labels (N, S), and the lengths of inputs (N, T, C) and targets",
    "next": "tokens (N, T), each predicted at the position before it",
    "several": "further tensors, known by shape only",
    "alone": "no target",
    "log-variance": "a log-variance for each element, and no target",
}


class Unsure(ValueError):  # noqa: N818 - the name states the condition
    """What the loss takes cannot be determined from its behaviour; the message names the options that decide."""

    nearest: Spec | None = None  # a form in which it runs, for the checks that apply to any


@dataclass(frozen=True)
class Spec:
    """What a loss takes."""

    kind: str  # one of KINDS
    scores: str  # what the input is: one of SCORES
    layout: str  # layout of the target: one of LAYOUTS
    tensors: tuple[str, ...]  # the names of the call's tensors
    classes: int  # channels of the input: 1 for binary
    spatial: tuple[int, ...]  # sizes of the spatial dimensions of examples
    spatials: tuple[tuple[int, ...], ...] = ()  # all that it accepts, of those tried
    softmax: bool = False  # adding one number to all scores of a position changes nothing
    way: Way = field(default_factory=Way)  # how its tensors become the arguments of a call
    part: str = ""  # where in the result the loss is; empty if the result is the loss
    scalar: bool = True  # returns one number
    options: tuple[str, ...] = ()  # of the constructor, or bound by name
    arguments: tuple[str, ...] = ()  # of the call, besides its tensors
    ignore_index: int | None = None  # the label that it ignores now
    ignore_name: str = "ignore_index"  # the name of that option
    also: tuple[tuple[str, str, str], ...] = ()  # other (kind, scores, layout) that it also accepts
    because: tuple[str, ...] = ()  # how it was concluded

    @property
    def swapped(self) -> bool:
        """Whether the target comes first."""
        return self.way.swapped

    @property
    def two(self) -> bool:
        """Whether a call takes just an input and a target."""
        return len(self.tensors) == 2

    @property
    def labels(self) -> bool:
        """Whether the target labels each position."""
        return self.kind in ("binary", "multilabel", "multiclass") and self.layout != "label-lists"

    @property
    def meant(self) -> bool:
        """Whether the correct predictions are known."""
        return self.layout.split()[0] not in ("alone", "several")

    @property
    def indices(self) -> bool:
        return self.layout in ("indices", "indices-channel")

    @property
    def same_shape(self) -> bool:
        """Whether input and target have one shape."""
        return self.layout in ("same", "same-integers", "bare", "signs", "one-hot", "soft", "counts", "log-soft")

    def accepts(self, name: str) -> bool:
        """Whether the constructor or the call has this option."""
        return name in self.options or name in self.arguments

    def takes_spatial(self, dimensions: int) -> bool:
        return any(len(each) == dimensions for each in self.spatials or (self.spatial,))

    def __str__(self) -> str:
        held = {"values": "numbers", "log_probabilities": "log-probabilities", "log_rates": "logarithms of rates"}
        held["positive"] = "positive numbers"
        kind = {"multilabel": "multi-label", "multiclass": "multi-class"}.get(self.kind, self.kind)
        said = f"{kind}; {held.get(self.scores, self.scores)} as input; {LAYOUTS[self.layout.split()[0]]}"
        besides = ", ".join(each.name for each in self.way.extras)
        last = "; classes last" if self.way.last else ""
        return f"{said}{last}{f'; and {besides}' if besides else ''}{f'; the loss is {self.part}' if self.part else ''}"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "said": str(self)}
