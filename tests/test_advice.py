"""CONTRACT.md 25: the advice of a message works: the repaired call runs, or its error is about something else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import losskit
from losskit import BCEWithLogitsLoss, CrossEntropyLoss, DiceLoss, FocalLoss, GaussianNLLLoss, MSELoss, NLLLoss

NAMES = "input|target|weight|mask|var|log_probs"
# Python in a message: an expression of a tensor, or an option of the loss.
_TENSOR = re.compile(rf"\b(?:torch\.as_tensor\((?:{NAMES})\)|(?:{NAMES})(?:\.\w+(?:\([^()]*\))?|\[[^\]]*\])+)")
_OPTION = re.compile(r"(?i)\bpass (\w+)=('[^']*'|-?\d+|True|False|None)")

x, labels = torch.randn(4, 3, 5, 6), torch.randint(3, (4, 5, 6))
one = torch.randn(4, 1, 5, 6)
packed: Any = nn.utils.rnn.pack_sequence([torch.randn(3, 4), torch.randn(2, 4)])
packed_labels: Any = nn.utils.rnn.pack_sequence([torch.tensor([0, 1, 2]), torch.tensor([3, 0])])
CALLS: dict[str, tuple[type[Any], dict[str, Any], dict[str, Any]]] = {
    "indices for bce": (BCEWithLogitsLoss, {}, {"input": torch.randn(4, 3), "target": torch.tensor([0, 1, 2, 0])}),
    "channel missing": (MSELoss, {}, {"input": torch.randn(8, 1), "target": torch.randn(8)}),
    "channel too many": (MSELoss, {}, {"input": torch.randn(8), "target": torch.randn(8, 1)}),
    "channel of the target": (DiceLoss, {}, {"input": torch.randn(8, 5, 6), "target": torch.zeros(8, 5, 6)}),
    "classes last": (CrossEntropyLoss, {}, {"input": torch.randn(2, 5, 7), "target": torch.zeros(2, 5).long()}),
    "target's classes last": (CrossEntropyLoss, {}, {"input": torch.randn(2, 5, 7), "target": torch.ones(2, 7, 5) / 5}),
    "transposed": (DiceLoss, {}, {"input": torch.randn(2, 1, 4, 6), "target": torch.zeros(2, 1, 6, 4)}),
    "one target": (DiceLoss, {}, {"input": torch.randn(4, 1, 4, 6), "target": torch.zeros(1, 1, 4, 6)}),
    "one target of indices": (CrossEntropyLoss, {}, {"input": x, "target": labels[:1]}),
    "unbatched": (CrossEntropyLoss, {}, {"input": x[0], "target": labels[0]}),
    "unbatched dice": (DiceLoss, {}, {"input": x[0], "target": labels[0]}),
    "one row": (CrossEntropyLoss, {}, {"input": torch.randn(3), "target": torch.tensor([1])}),
    "mode": (DiceLoss, {}, {"input": x, "target": F.one_hot(labels, 3).movedim(-1, 1)}),
    "pool": (DiceLoss, {}, {"input": torch.randn(4, 1), "target": torch.zeros(4, 1)}),
    "255": (CrossEntropyLoss, {}, {"input": x, "target": labels.where(labels > 0, 255)}),
    "0/255 mask": (BCEWithLogitsLoss, {}, {"input": one, "target": 255.0 * (one > 0)}),
    "half labels": (CrossEntropyLoss, {}, {"input": x, "target": labels + 0.25}),
    "several classes at once": (CrossEntropyLoss, {}, {"input": torch.randn(2, 3), "target": torch.ones(2, 3)}),
    "several, focal": (FocalLoss, {"mode": "multiclass"}, {"input": torch.randn(2, 3), "target": torch.ones(2, 3)}),
    "swapped": (CrossEntropyLoss, {}, {"input": labels, "target": x}),
    "swapped binary": (BCEWithLogitsLoss, {}, {"input": (one > 0).long(), "target": one.sigmoid()}),
    "whole numbers": (MSELoss, {}, {"input": torch.ones(3).long(), "target": torch.ones(3).long()}),
    "a number": (MSELoss, {}, {"input": torch.randn(3), "target": [1.0, 2.0, 3.0]}),
    "array": (MSELoss, {}, {"input": torch.randn(3), "target": torch.ones(3).numpy()}),
    "dict": (CrossEntropyLoss, {}, {"input": {"out": x}, "target": labels}),
    "list": (CrossEntropyLoss, {}, {"input": [x, x], "target": labels}),
    "packed": (CrossEntropyLoss, {}, {"input": packed, "target": packed_labels}),
    "list of variances": (GaussianNLLLoss, {}, {"input": x, "target": x, "var": torch.ones(x.shape).tolist()}),
    "mask of numbers": (MSELoss, {}, {"input": torch.randn(3), "target": torch.randn(3), "mask": torch.ones(3)}),
    "weight of samples": (MSELoss, {}, {"input": one[..., 0, 0], "target": one[..., 0, 0], "weight": torch.ones(4)}),
    "logits": (NLLLoss, {}, {"input": x, "target": labels}),
    "logits as probabilities": (DiceLoss, {"from_logits": False}, {"input": 5 * one, "target": (one > 0).float()}),
    "log variance": (GaussianNLLLoss, {}, {"input": one, "target": one, "var": -one.abs()}),
}  # fmt: skip


SEVERAL = ("DeepSupervisionLoss", "MultiTaskLoss")  # which need a loss besides their name


def error(loss: type[Any], options: dict[str, Any], tensors: dict[str, Any]) -> str:
    try:
        loss(**options)(**tensors)
    except (TypeError, ValueError) as found:
        return str(found)
    return ""


def pattern(message: str) -> str:
    """What a message is about, without its shapes and values."""
    return re.sub(r"\([\d, ]*\)|[-\d.e+]+|'[^']*'", "", message)


def follow(
    message: str, options: dict[str, Any], tensors: dict[str, Any]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The calls that a message advises: each alternative, and all tensors of one sentence together."""
    known = {**tensors, "torch": torch}
    calls = []
    for name, value in _OPTION.findall(message):
        calls.append(({**options, name: eval(value)}, tensors))
    advice = [s for s in re.split(r"(?<=[.;])\s", message) if re.search(r"(?i)\bpass\b", s)]
    for sentence in advice:
        changed = dict(tensors)
        for expression in _TENSOR.findall(sentence[re.search(r"(?i)\bpass\b", sentence).end() :]):  # type: ignore[union-attr]
            name = re.search(NAMES, expression)[0]  # type: ignore[index]
            if name in tensors and changed[name] is tensors[name]:
                changed[name] = eval(expression.rstrip("."), known)
        if "and the same of the other tensors" in message:
            changed = {
                n: getattr(t, "data", t) if isinstance(t, nn.utils.rnn.PackedSequence) else t
                for n, t in changed.items()
            }
        if any(changed[n] is not tensors[n] for n in tensors):
            calls.append((options, changed))
    if "(target > 127)" in message:
        calls.append((options, {**tensors, "target": tensors["target"] > 127}))
    if "pass the model's output first" in message:
        calls.append((options, {**tensors, "input": tensors["target"], "target": tensors["input"]}))
    if "leave from_logits out" in message:
        calls.append(({n: v for n, v in options.items() if n != "from_logits"}, tensors))
    return calls


@pytest.mark.parametrize("name", CALLS)
def test_advice_works(name: str) -> None:
    loss, options, tensors = CALLS[name]
    message = error(loss, options, tensors)
    assert message, "the call was to be wrong"
    others = re.findall(r"use (\w+Loss)\b|such as (\w+Loss)\b", message)
    calls = follow(message, options, tensors)
    results = [error(loss, *call) for call in calls]
    results += [
        error(getattr(losskit, a or b), {}, tensors)
        for a, b in others
        if (a or b) not in ("DeepSupervisionLoss", "MultiTaskLoss")
    ]
    assert results, message
    for result in results:
        assert pattern(result) != pattern(message), message
    assert "" in results, (message, results)  # and one of them runs


def test_foreign_hints_are_right() -> None:
    """The replacements for other libraries' options reproduce their numbers."""
    logits, target = torch.randn(3, 1, 4), torch.rand(3, 1, 4).round()
    p = logits.sigmoid()
    positive, negative = -((1 - p) ** 2) * p.log(), -(p**2) * (1 - p).log()
    weighed = (3.0 * target * positive + (1 - target) * negative).mean()
    torch.testing.assert_close(((1 + 3.0) * FocalLoss(alpha=3.0 / (1 + 3.0)))(logits, target), weighed)
    with pytest.raises(ValueError, match="One channel is binary by itself: leave mode out"):
        DiceLoss(mode="binary")  # type: ignore[arg-type]
    DiceLoss()(logits, target)
    with pytest.raises(TypeError, match=r"RegionLoss with per_sample"):
        DiceLoss(average="micro")  # type: ignore[call-arg]

    class MicroDice(losskit.RegionLoss):
        def per_sample(self, total: losskit.Totals) -> Tensor:
            return 1 - 2 * total.tp.sum(-1) / (total.pred + total.target).sum(-1)

    q, t = x.softmax(1), F.one_hot(labels, 3).movedim(-1, 1)
    micro = 1 - 2 * (q * t).sum((1, 2, 3)) / (q + t).sum((1, 2, 3))
    torch.testing.assert_close(MicroDice()(x, labels), micro.mean())
