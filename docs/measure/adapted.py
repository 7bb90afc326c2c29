"""Losses of other libraries, preceded by the activation that they expect."""

from __future__ import annotations

from torch import Tensor

from peers import peer


def mcc_of_sigmoid(input: Tensor, target: Tensor) -> Tensor:
    return peer("smp").MCCLoss()(input.sigmoid(), target)


def lovasz_of_softmax(input: Tensor, target: Tensor) -> Tensor:
    return peer("toolbelt").LovaszLoss()(input.softmax(1), target)
