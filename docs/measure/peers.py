"""The constructors of other libraries beside ours, on the same tensors: equal, or by how much not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import losskit
import torch
import torch.nn.functional as F
from peers import peer
from torch import Tensor, nn


class Row(NamedTuple):
    """Their constructor and ours; `why` is needed where they differ."""

    theirs: str
    ours: str
    data: str
    why: str = ""


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _squares(size: int, sides: tuple[int, ...]) -> Tensor:
    """Masks (N, size, size) of one square object each."""
    masks = torch.zeros(len(sides), size, size, dtype=torch.long)
    for mask, side in zip(masks, sides, strict=True):
        mask[2 : 2 + side, 3 : 3 + side] = 1
    return masks


def _data() -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
    """For each kind of data, the input and the targets by their form."""
    g = _generator()
    size, masks = 16, _squares(16, (9, 5, 3))
    binary = torch.randn(3, 1, size, size, generator=g, dtype=torch.float64) + 2 * masks.unsqueeze(1)
    labels = torch.randint(4, (3, size, size), generator=g)
    scores = torch.randn(3, 4, size, size, generator=g, dtype=torch.float64)
    flat_scores = torch.randn(8, 5, generator=g, dtype=torch.float64)
    flat = torch.randint(5, (8,), generator=g)
    numbers, others = (torch.randn(40, generator=g, dtype=torch.float64) * 2 for _ in range(2))
    empty = torch.zeros_like(masks).unsqueeze(1)
    return {
        "binary": (binary, {"same": masks.unsqueeze(1), "float": masks.unsqueeze(1).double()}),
        "single": (binary.float(), {"same": masks.unsqueeze(1)}),
        "empty": (binary - 6, {"same": empty, "float": empty.double()}),
        "classes": (scores, {"same": labels, "channel": labels.unsqueeze(1), "one_hot": _one_hot(labels, 4)}),
        "flat": (flat_scores, {"same": flat, "one_hot": _one_hot(flat, 5), "float": _one_hot(flat, 5)}),
        "numbers": (numbers, {"same": others, "float": others}),
    }


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return F.one_hot(labels, classes).movedim(-1, 1).double()


DATA = _data()


def nnunet(batch_dice: bool = True, do_bg: bool = False, smooth: float = 1e-5) -> Callable[[Tensor, Tensor], Tensor]:
    """nnU-Net's Dice and cross-entropy as its source writes it: minus the soft Dice score, plus cross-entropy."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        p, t = x.softmax(1), _one_hot(y.squeeze(1), x.shape[1])
        axes = [0, 2, 3] if batch_dice else [2, 3]
        intersection, predicted, true = (p * t).sum(axes), p.sum(axes), t.sum(axes)
        score = (2 * intersection + smooth) / (predicted + true + smooth).clamp_min(1e-8)
        score = score if do_bg else score[..., 1:]
        return F.cross_entropy(x, y.squeeze(1)) - score.mean()

    return loss


NAMES: dict[str, Any] = {
    **{name: getattr(losskit, name) for name in dir(losskit)},
    "nn": nn,
    "torch": torch,
    "monai": peer("monai"),
    "smp": peer("smp"),
    "timm": peer("timm"),
    "torchvision": peer("torchvision"),
    "nnunet": nnunet,
    "w": [0.5, 1.0, 2.0, 4.0],
    "tensor": lambda values: torch.tensor(values, dtype=torch.float64),
}

TABLES: dict[str, list[Row]] = {
    "PyTorch": [
        Row("nn.MSELoss()", "MSELoss()", "numbers"),
        Row("nn.L1Loss()", "L1Loss()", "numbers"),
        Row("nn.SmoothL1Loss(beta=0.5)", "SmoothL1Loss(beta=0.5)", "numbers"),
        Row("nn.HuberLoss(delta=2.0)", "HuberLoss(delta=2.0)", "numbers"),
        Row("nn.BCEWithLogitsLoss()", "BCEWithLogitsLoss()", "binary:float"),
        Row("nn.BCEWithLogitsLoss(pos_weight=tensor(3.0))", "BCEWithLogitsLoss(pos_weight=3.0)", "binary:float"),
        Row("nn.CrossEntropyLoss()", "CrossEntropyLoss()", "classes"),
        Row(
            "nn.CrossEntropyLoss(weight=tensor(w), label_smoothing=0.1)",
            "CrossEntropyLoss(class_weight=w, label_smoothing=0.1)",
            "classes",
        ),
        Row(
            "nn.CrossEntropyLoss(weight=tensor(w))",
            "CrossEntropyLoss(class_weight=w)",
            "classes:one_hot:one_hot",
            "one-hot targets: PyTorch divides them by the number of positions, class indices by their weight; here both "
            "are divided by their weight",
        ),
        Row("nn.MultiMarginLoss()", "MultiMarginLoss()", "flat"),
        Row("nn.SoftMarginLoss()", "SoftMarginLoss()", "numbers:sign:sign"),
    ],
    "MONAI": [
        Row("monai.DiceLoss(sigmoid=True)", "DiceLoss(smooth=1e-5)", "binary"),
        Row(
            "monai.DiceLoss(sigmoid=True)",
            "DiceLoss()",
            "empty",
            "empty masks: there MONAI charges almost 1 for a correct prediction; here it is the mean probability, unless "
            'absent="formula"',
        ),
        Row("monai.DiceLoss(sigmoid=True, batch=True)", 'DiceLoss(pool="batch", smooth=1e-5)', "binary"),
        Row("monai.DiceLoss(sigmoid=True, squared_pred=True)", "DiceLoss(squared=True, smooth=1e-5)", "binary:float:float"),
        Row("monai.DiceLoss(sigmoid=True, soft_label=True)", 'DiceLoss(overlap="l1", smooth=1e-5)', "binary:float:float"),
        Row("monai.DiceLoss(sigmoid=True, jaccard=True)", "JaccardLoss(smooth=5e-6)", "binary"),
        Row(
            "monai.DiceLoss(softmax=True, to_onehot_y=True, include_background=False)",
            "DiceLoss(include_background=False, smooth=1e-5)",
            "classes:channel",
        ),
        Row("monai.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7)", "TverskyLoss(alpha=0.3, beta=0.7, smooth=1e-5)", "binary"),
        Row("monai.DiceCELoss(softmax=True, to_onehot_y=True)", "DiceCELoss(smooth=1e-5)", "classes:channel"),
        Row("monai.FocalLoss(gamma=2.0)", "FocalLoss(gamma=2.0)", "binary"),
        Row("monai.FocalLoss(gamma=2.0, alpha=0.25)", "FocalLoss(gamma=2.0, alpha=0.25)", "binary"),
        Row(
            "monai.FocalLoss(use_softmax=True, to_onehot_y=True)",
            "FocalLoss()",
            "classes:channel",
            "MONAI divides the softmax form by the number of classes as well, here 4",
        ),
        Row("monai.DiceFocalLoss(sigmoid=True)", "DiceFocalLoss(smooth=1e-5)", "binary"),
    ],
    "nnU-Net": [
        Row(
            "nnunet(batch_dice=True)",
            'DiceCELoss(pool="batch", include_background=False, smooth=1e-5)',
            "classes:channel",
            "nnU-Net subtracts the Dice score, we add one minus it: 1 more, with the same gradient",
        ),
        Row(
            "nnunet(batch_dice=False)",
            "DiceCELoss(include_background=False, smooth=1e-5)",
            "classes:channel",
            "1 more, with the same gradient",
        ),
    ],
    "segmentation_models_pytorch": [
        Row("smp.DiceLoss('binary')", 'DiceLoss(pool="batch")', "binary"),
        Row("smp.DiceLoss('binary', smooth=1.0)", 'DiceLoss(pool="batch", smooth=2.0)', "binary"),
        Row("smp.DiceLoss('multiclass')", 'DiceLoss(pool="batch")', "classes"),
        Row(
            "smp.DiceLoss('binary')",
            "DiceLoss()",
            "binary",
            "smp pools the batch into one region, so large objects count more",
        ),
        Row(
            "smp.DiceLoss('binary')",
            'DiceLoss(pool="batch")',
            "empty",
            "empty masks: smp charges nothing, whatever is predicted",
        ),
        Row("smp.JaccardLoss('binary')", 'JaccardLoss(pool="batch")', "binary"),
        Row("smp.TverskyLoss('binary', alpha=0.3, beta=0.7)", 'TverskyLoss(pool="batch", alpha=0.3, beta=0.7)', "binary"),
        Row("smp.FocalLoss('binary', alpha=0.25)", "FocalLoss(alpha=0.25)", "binary"),
        Row(
            "smp.FocalLoss('multiclass')",
            "FocalLoss()",
            "classes",
            "smp's multi-class form is one class against the rest, by sigmoid",
        ),
        Row("smp.FocalLoss('multiclass')", 'FocalLoss(mode="multilabel")', "classes"),
        Row("smp.LovaszLoss('binary', per_image=True)", "LovaszLoss()", "single"),
        Row("smp.SoftBCEWithLogitsLoss(smooth_factor=0.1)", "BCEWithLogitsLoss(label_smoothing=0.2)", "binary:float"),
        Row("smp.SoftCrossEntropyLoss(smooth_factor=0.1)", "CrossEntropyLoss(label_smoothing=0.1)", "classes"),
    ],
    "torchvision": [
        Row(
            "lambda x, t: torchvision.sigmoid_focal_loss(x, t, reduction='mean')",
            "FocalLoss(gamma=2.0, alpha=0.25)",
            "binary:float",
        ),
        Row(
            "lambda x, t: torchvision.sigmoid_focal_loss(x, t, alpha=-1, reduction='sum')",
            'FocalLoss(gamma=2.0, reduction="sum")',
            "binary:float",
        ),
    ],
    "timm": [
        Row("timm.LabelSmoothingCrossEntropy(0.1)", "CrossEntropyLoss(label_smoothing=0.1)", "flat"),
        Row("timm.SoftTargetCrossEntropy()", "CrossEntropyLoss()", "flat:one_hot:one_hot"),
        Row("timm.BinaryCrossEntropy(smoothing=0.0)", "BCEWithLogitsLoss()", "flat:float:float"),
        Row(
            "timm.BinaryCrossEntropy(smoothing=0.1)",
            "BCEWithLogitsLoss(label_smoothing=0.1)",
            "flat:same:float",
            "timm spreads the smoothed share over the classes, 0.1 / 5 each; here it goes to yes and no, 0.05 each",
        ),
        Row(
            "timm.BinaryCrossEntropy(smoothing=0.1)",
            "BCEWithLogitsLoss(label_smoothing=0.1)",
            "flat:float:float",
            "dense targets: timm leaves them as they are unless smooth_dense=True",
        ),
        Row(
            "timm.BinaryCrossEntropy(smoothing=0.1, smooth_dense=True)",
            "BCEWithLogitsLoss(label_smoothing=0.1)",
            "flat:float:float",
        ),
    ],
}


class Outcome(NamedTuple):
    """Both values, and the largest difference of the gradients beside their size."""

    theirs: float
    ours: float
    slope: float

    @property
    def equal(self) -> bool:
        return abs(self.theirs - self.ours) <= 1e-6 * max(1.0, abs(self.theirs)) and self.slope <= 1e-5


def compare(row: Row) -> Outcome:
    kind, *forms = row.data.split(":")
    input, targets = DATA[kind]
    targets = {**targets, "sign": targets["same"].sign()}
    their_target = targets[forms[0] if forms else "same"]
    our_target = targets[forms[1] if len(forms) > 1 else "same"]
    values, slopes = [], []
    for text, target in ((row.theirs, their_target), (row.ours, our_target)):
        x = input.clone().requires_grad_()
        value = eval(text, NAMES)(x, target)
        (slope,) = torch.autograd.grad(value, x)
        values.append(value.item())
        slopes.append(slope)
    size = slopes[0].abs().max().clamp_min(1e-12)
    return Outcome(values[0], values[1], ((slopes[0] - slopes[1]).abs().max() / size).item())


def table(library: str) -> str:
    """The rows of a library as a Markdown table; a difference that nobody explained is an error."""
    lines = ["| theirs | ours | |", "|---|---|---|"]
    for row in TABLES[library]:
        found = compare(row)
        if found.equal == bool(row.why):
            raise AssertionError(f"{row.theirs} and {row.ours}: {found}, explained as {row.why!r}")
        said = "equal" if found.equal else f"{found.theirs:.4f} and {found.ours:.4f}: {row.why}"
        theirs = row.theirs.removeprefix("lambda x, t: ")
        lines.append(f"| `{theirs}` | `{row.ours}` | {said} |")
    return "\n".join(lines)
