"""A task: data in three parts, how to train on it, and which scores count."""

import hashlib
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from losskit.experiment.metrics import ACCURACY as ACCURACY
from losskit.experiment.metrics import BALANCED as BALANCED
from losskit.experiment.metrics import CLEAN as CLEAN
from losskit.experiment.metrics import DICE as DICE
from losskit.experiment.metrics import MAE as MAE
from losskit.experiment.metrics import Metric as Metric

VOID = -100  # a pixel of unknown class, PyTorch's ignore_index

Kind = Literal["segmentation", "classification", "regression"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PARTS = ("train", "validation", "test")


class InputError(ValueError):
    """The request is invalid; the message says what to change."""


@dataclass(frozen=True)
class Split:
    inputs: list[Tensor]  # each (channels, [D,] H, W), or (features,) of a table; float32
    targets: list[Tensor]  # segmentation: (1, [D,] H, W) float for binary, ([D,] H, W) int64 for classes
    # classification: (1,) float for two classes, () int64 for more; regression: (1,) float

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Data:
    """Three disjoint parts, and everything else that a training run needs to know about a task."""

    train: Split
    validation: Split
    test: Split
    classes: int  # channels of the model's output: 1 for two classes, and for regression
    kind: Kind = "segmentation"
    scale: float = 1.0  # for regression: the value of 1 in the targets, in their own units

    @property
    def channels(self) -> int:
        return self.train.inputs[0].shape[0]

    @property
    def dimensions(self) -> int:
        """Spatial dimensions: 2 for images, 3 for volumes, 0 for the rows of a table."""
        return self.train.inputs[0].ndim - 1

    @property
    def is_segmentation(self) -> bool:
        return self.kind == "segmentation"

    @property
    def is_binary(self) -> bool:
        """Whether one logit decides between two classes, at a threshold that can be chosen."""
        return self.classes == 1 and self.kind != "regression"

    def examples(self, count: int = 6) -> list[int]:
        """Indices of test items to show: for segmentation, most with foreground and some without."""
        if not self.is_segmentation:
            return list(range(min(2 * count, len(self.test))))
        empty = [not (truth > 0).any() for truth in self.test.targets]
        full = [index for index, is_empty in enumerate(empty) if not is_empty]
        rest = [index for index, is_empty in enumerate(empty) if is_empty]
        shown_empty = rest[: max(count // 3, count - len(full))]
        return full[: count - len(shown_empty)] + shown_empty

    def save(self, path: Path) -> None:
        """Save through memory, so that a full disk raises an OSError with its reason."""
        parts = {name: packed(getattr(self, name)) for name in PARTS}
        content = io.BytesIO()
        torch.save({"classes": self.classes, "kind": self.kind, "scale": self.scale, **parts}, content)
        path.write_bytes(content.getbuffer())

    @classmethod
    def load(cls, path: Path) -> "Data":
        saved = torch.load(path, weights_only=True)
        splits = {name: Split(*(unpacked(*each) for each in saved[name])) for name in PARTS}
        return cls.of(splits, saved["classes"], saved["kind"], saved["scale"])

    @classmethod
    def of(cls, parts: Mapping[str, Split], classes: int, kind: Kind = "segmentation", scale: float = 1.0) -> "Data":
        return cls(parts["train"], parts["validation"], parts["test"], classes, kind, scale)

    def digest(self) -> str:
        """Changes if any pixel, label or split does."""
        digest = hashlib.sha256(f"{self.kind} {self.classes} {self.scale}".encode())
        for split in (self.train, self.validation, self.test):
            for tensor in (*split.inputs, *split.targets):
                digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
                digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


def packed(split: Split) -> list[tuple[Tensor, list[tuple[int, ...]]]]:
    """Inputs and targets, each as one tensor and the shapes of the items: a thousand tensors take half a second."""
    return [
        (torch.cat([item.flatten() for item in items]) if items else torch.empty(0), [tuple(i.shape) for i in items])
        for items in (split.inputs, split.targets)
    ]


def unpacked(flat: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    parts = torch.split(flat, [math.prod(shape) for shape in shapes]) if shapes else ()
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


@dataclass(frozen=True)
class Task(ABC):
    """A source of data and its training settings. The first metric ranks the losses."""

    name: str
    about: str  # the data and, if training and validation are corrupted, how
    metrics: tuple[Metric, ...]
    losses: tuple[str, ...]  # compared if the user names none
    epochs: int
    batch_size: int
    learning_rate: float  # the middle of the rates to try
    class_counts: tuple[int, ...] | None = None  # of the training part, for losses with such an option
    spelled: Mapping[str, str] = field(default_factory=dict)  # the text for `build`, for losses with a special name
    baseline: str = "bce"  # the standard loss, against which gains are measured
    notes: tuple[str, ...] = ()  # how the user's data were read
    arguments: tuple[str, ...] = ()  # of the command line, to recreate the task
    groups: int | None = None  # independent images, patients, slides or rows; None where a seed draws new ones
    is_users: bool = False
    apart: Metric | None = None  # a score that ranks the losses separately, and chooses nothing
    picture: "Task | None" = None  # trained on once for the report, never ranked

    @abstractmethod
    def data(self, seed: int) -> Data:
        """Train, validation and test drawn anew; the same seed gives the same data, bit for bit.

        If training data are corrupted, validation data are corrupted in the same way, and test data are not.
        """
