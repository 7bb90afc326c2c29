"""From logits to decisions: probabilities, the threshold chosen on validation data, and the decisions there.

A single logit has a threshold. For classes, the counterpart is how much of the log frequency of each class in
training is subtracted from its logit before the argmax (Menon et al. 2021, arXiv:2007.07314), 0 being the plain
argmax. Either is one number, so a loss that merely moves it is detected.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from losskit.experiment.tasks.task import VOID, Data, Split

CHUNK = 16  # items of one size per forward pass
HALF = 0.5
THRESHOLDS = tuple(float(t) for t in (1 / (1 + np.exp(-np.linspace(-5, 5, 21)))).round(4))  # 0.5 in the middle
SHARES = (-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)

Array = NDArray[np.float64]


@torch.no_grad()
def predict(model: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    """The model's output for each item, (channels, *)."""
    model.eval()
    outputs: list[Tensor] = []
    for _, same in groupby(inputs, key=lambda item: item.shape):
        for chunk in torch.split(torch.stack(list(same)), CHUNK):
            outputs += model(chunk).float()
    model.train()
    return outputs


def truths(split: Split) -> list[Tensor]:
    """Class indices, (*); for binary targets 0, 1 and VOID."""
    return [target[0].long() if target.is_floating_point() else target for target in split.targets]


class Decider:
    """Decisions of one model: class indices for each item at any threshold."""

    def __init__(self, data: Data) -> None:
        self.binary = data.is_binary
        self.neutral = HALF if self.binary else 0.0
        self.candidates = THRESHOLDS if self.binary else SHARES
        self.prior = torch.zeros(data.classes) if self.binary else log_shares(data)

    def answers(self, outputs: list[Tensor], threshold: float) -> list[Tensor]:
        return [self.of(output[None], threshold)[0] for output in outputs]

    def of(self, outputs: Tensor, threshold: float) -> Tensor:
        """(N, classes, *) to (N, *)."""
        if self.binary:
            return (outputs[:, 0] > cut(threshold)).long()
        return (outputs - threshold * self.prior.view(-1, *[1] * (outputs.ndim - 2))).argmax(1)

    def choose(self, scores: Sequence[float]) -> float:
        """The candidate with the best score; among equals the one nearest to no change."""
        best = max(scores)
        equal = [t for t, found in zip(self.candidates, scores, strict=True) if found >= best - 1e-12]
        return min(equal, key=lambda t: abs(t - self.neutral))


def cut(threshold: float) -> float:
    """The logit of a probability."""
    return float(np.log(threshold / (1 - threshold)))


def log_shares(data: Data) -> Tensor:
    """Log frequencies of the classes in training."""
    labels = torch.cat([truth[truth != VOID].flatten() for truth in truths(data.train)])
    counts = torch.bincount(labels, minlength=data.classes).float() + 1
    return (counts / counts.sum()).log()
