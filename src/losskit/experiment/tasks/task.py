"""What a task gives: data in three parts, how to train on it, and which scores count."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

VOID = -100  # a pixel of no known class, PyTorch's ignore_index


class InputError(ValueError):
    """The request cannot be carried out as given; the message says what to change."""


@dataclass(frozen=True)
class Split:
    inputs: list[Tensor]  # each (channels, H, W), float32
    targets: list[Tensor]  # each (1, H, W) float for binary, (H, W) int64 for classes, () int64 for a label

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class Data:
    """Three disjoint parts. Everything that a training run needs to know about a task is read off the tensors."""

    train: Split
    validation: Split
    test: Split
    classes: int  # channels of the logits: 1 for binary segmentation

    @property
    def channels(self) -> int:
        return self.test.inputs[0].shape[0]

    @property
    def is_segmentation(self) -> bool:
        return self.test.targets[0].ndim > 0

    def examples(self, count: int = 6) -> list[int]:
        """Indices of test items to show: of segmentations, most with something to find and some without."""
        if not self.is_segmentation:
            return list(range(min(2 * count, len(self.test))))
        empty = [not (truth > 0).any() for truth in self.test.targets]
        full = [index for index, is_empty in enumerate(empty) if not is_empty]
        rest = [index for index, is_empty in enumerate(empty) if is_empty]
        shown_empty = rest[: max(count // 3, count - len(full))]
        return full[: count - len(shown_empty)] + shown_empty

    def save(self, path: Path) -> None:
        parts = {name: vars(getattr(self, name)) for name in ("train", "validation", "test")}
        torch.save({"classes": self.classes, **parts}, path)

    @classmethod
    def load(cls, path: Path) -> "Data":
        saved = torch.load(path, weights_only=True)
        parts = {name: Split(**saved[name]) for name in ("train", "validation", "test")}
        return cls(classes=saved["classes"], **parts)

    def digest(self) -> str:
        """Changes when any pixel, label or split does."""
        digest = hashlib.sha256(str(self.classes).encode())
        for split in (self.train, self.validation, self.test):
            for tensor in (*split.inputs, *split.targets):
                digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
                digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Metric:
    key: str
    label: str
    higher_is_better: bool = True


DICE = Metric("dice", "mean image Dice")
FALSE_ALARMS = Metric("empty_with_false_positive", "empty images with a false positive", higher_is_better=False)
ACCURACY = Metric("accuracy", "accuracy")


@dataclass(frozen=True)
class Task(ABC):
    """The first metric ranks the losses."""

    name: str
    about: str
    metrics: tuple[Metric, ...]
    losses: tuple[str, ...]  # compared when the user names none
    epochs: int
    batch_size: int
    learning_rate: float
    notes: tuple[str, ...] = ()  # what was decided about the user's data
    arguments: tuple[str, ...] = ()  # of the command line, to make the same task again

    @abstractmethod
    def data(self, seed: int) -> Data:
        """The same seed gives the same data, bit for bit."""
