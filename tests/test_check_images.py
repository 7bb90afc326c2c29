"""Faults of losses of images and labels that show in other shapes, dtypes and calls, and sound losses beside them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from losskit.checker import battery
from losskit.checker.finding import FAULTS
from losskit.checker.subject import Subject

BINARY = {"kind": "binary", "scores": "logits", "target": "same"}
INDICES = {"kind": "multiclass", "scores": "logits", "target": "indices"}
NUMBERS = {"kind": "regression", "scores": "values", "target": "same"}


def found(loss, check, **told):
    return [each.what for each in battery.run(Subject.of(loss, **told), select=[check]) if each.severity in FAULTS]


class Cached(nn.Module):
    """Differences of blurred maps; the window is stored."""

    renews = False

    def __init__(self):
        super().__init__()
        self.window = None

    def forward(self, pred, target):
        channels = pred.shape[1]
        if self.window is None or (self.renews and self.window.shape[0] != channels):
            self.window = torch.ones(channels, 1, 1, 1, dtype=pred.dtype)
        return F.conv2d(pred - target, self.window.to(pred.dtype), groups=channels).abs().mean()


class Renewed(Cached):
    renews = True


class Overwrites(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = torch.tensor([0.2, 0.5, 0.9])

    def forward(self, logits, target):
        self.alpha = self.alpha[target.flatten()]
        return (self.alpha * F.cross_entropy(logits, target, reduction="none").flatten()).mean()


def test_what_a_call_stores_is_noticed_in_another_shape_or_order():
    maps = {**NUMBERS, "classes": 2, "shape": (4, 5)}
    (what,) = found(Cached(), "has-memory", **maps)
    assert "another number of channels" in what
    assert found(Renewed(), "has-memory", **maps) == []
    (what,) = found(Overwrites(), "has-memory", classes=3, **INDICES)
    assert "second time" in what


def squeezed(logits, target):
    return F.cross_entropy(logits, target.squeeze())


def needs_two(logits, target):
    if len(logits) < 2:
        raise ValueError("Statistics of the batch need two samples.")
    return F.cross_entropy(logits, target)


def test_an_error_for_one_sample_is_a_fault_unless_it_is_meant():
    assert found(squeezed, "batch-of-one", **INDICES) == ["raises for a batch of one sample"]
    assert found(needs_two, "batch-of-one", **INDICES) == []


def of_bool(logits, mask):
    """mask (N, C), bool or 0/1"""
    return F.binary_cross_entropy_with_logits(logits, 1 - (1 - mask))


def of_bool_cast(logits, mask):
    """mask (N, C), bool or 0/1"""
    return F.binary_cross_entropy_with_logits(logits, mask.to(logits.dtype))


def of_matches(pred_boxes, target_boxes):
    """L1 of matched boxes (N, 4); the number of matches may be 0."""
    return (pred_boxes - target_boxes).abs().mean()


def of_any_matches(pred_boxes, target_boxes):
    """L1 of matched boxes (N, 4); the number of matches may be 0."""
    return (pred_boxes - target_boxes).abs().sum() / max(pred_boxes.numel(), 1)


class Held(nn.Module):
    """Learns the weights of the channels."""

    def __init__(self):
        super().__init__()
        self.scale = torch.zeros(1)

    def forward(self, pred, target):
        return (torch.exp(-self.scale) * (pred - target) ** 2 + self.scale).mean()


class Learned(Held):
    """Learns the weights of the channels."""

    def __init__(self):
        nn.Module.__init__(self)
        self.scale = nn.Parameter(torch.zeros(1))


def gram_of_batch(pred, target):
    """Distance of the Gram matrices of features (N, C, H, W), averaged over the images."""
    one, other = (each.flatten(2).flatten(0, 1) for each in (pred, target))
    return F.mse_loss(one @ one.T, other @ other.T)


def gram_of_each(pred, target):
    """Distance of the Gram matrices of features (N, C, H, W), averaged over the images."""
    one, other = pred.flatten(2), target.flatten(2)
    return F.mse_loss(one @ one.mT, other @ other.mT)


@pytest.mark.parametrize(
    ("faulty", "sound", "told", "words"),
    [
        (of_bool, of_bool_cast, BINARY, "bool"),
        (of_matches, of_any_matches, NUMBERS, "no rows"),
        (Held(), Learned(), NUMBERS, "no parameters"),
        (gram_of_batch, gram_of_each, {**NUMBERS, "shape": (4, 5)}, "average over images"),
    ],
    ids=["bool", "empty", "learned", "images"],
)
def test_promises_of_the_documentation_are_tried(faulty, sound, told, words):
    (what,) = found(faulty, "not-as-documented", **told)
    assert words in what
    assert found(sound, "not-as-documented", **told) == []


def last_scale(pred, target):
    loss = 0.0
    for size in (1.0, 0.5):
        loss = size * (pred - target).abs().mean()
    return loss


def every_scale(pred, target):
    loss = 0.0
    for size in (1.0, 0.5):
        term = size * (pred - target).abs().mean()
        loss = loss + term
    return loss


def mixed(pred, target, alpha=0.8):
    with torch.no_grad():
        texture = (pred.diff(dim=-1) - target.diff(dim=-1)).square().mean()
    return alpha * texture + (1 - alpha) * (pred - target).abs().mean()


def mixed_and_trained(pred, target, alpha=0.8):
    texture = (pred.diff(dim=-1) - target.diff(dim=-1)).square().mean()
    return alpha * texture + (1 - alpha) * (pred - target).abs().mean()


@pytest.mark.parametrize(
    ("faulty", "sound", "check"),
    [(last_scale, every_scale, "unused-argument"), (mixed, mixed_and_trained, "term-without-gradient")],
    ids=["loop", "no-grad"],
)
def test_a_part_that_is_lost_is_named(faulty, sound, check):
    assert len(found(faulty, check, **NUMBERS, classes=3)) == 1
    assert found(sound, check, **NUMBERS, classes=3) == []


def ciou(pred, target):
    """CIoU of boxes (N, 4), x1 y1 x2 y2, with the term of the shapes alone."""
    wh = (torch.min(pred[:, 2:], target[:, 2:]) - torch.max(pred[:, :2], target[:, :2])).clamp(min=0)
    sizes = [each[:, 2:] - each[:, :2] for each in (pred, target)]
    inter = wh.prod(1)
    iou = inter / (sizes[0].prod(1) + sizes[1].prod(1) - inter)
    v = (sizes[0][:, 0] / sizes[0][:, 1] - sizes[1][:, 0] / sizes[1][:, 1]) ** 2
    return (1 - iou + v * v / (1 - iou + v)).mean()


def heat_of_logits(logits, gt):
    """CenterNet loss of heat maps (N, C, H, W)."""
    p, there = logits.sigmoid(), (gt == 1).to(logits.dtype)
    near = -F.logsigmoid(logits) * (1 - p) ** 2 * there
    far = -F.logsigmoid(-logits) * p**2 * (1 - gt) ** 4 * (1 - there)
    return (near + far).sum() / there.sum().clamp(min=1)


def test_equal_boxes_are_named_and_heat_maps_of_logits_are_sound():
    (what,) = found(ciou, "contradicts-claim")
    assert "predicted exactly" in what
    assert found(heat_of_logits, "rewards-errors") == []


def every_output(outputs, targets):
    """outputs: dict with "cls" (N, C), "box" (N, 4) logits
    targets: dict with "cls" (N,), "box" (N, 4)
    """
    return F.cross_entropy(outputs["cls"], targets["cls"]) + F.l1_loss(outputs["box"], targets["box"])


def one_output(outputs, targets):
    """outputs: dict with "cls" (N, C), "box" (N, 4) logits
    targets: dict with "cls" (N,), "box" (N, 4)
    """
    return F.cross_entropy(outputs["cls"], targets["cls"]) + F.l1_loss(outputs["box"], targets["box"]).item()


def test_tensors_of_dicts_are_read_from_documentation():
    (what,) = found(one_output, "term-without-gradient")
    assert "outputs_box" in what
    assert found(every_output, "term-without-gradient") == []


def emphasised(pred, target, mask):
    """L1 in which the pixels of the mask count three times: pred, target, mask (N, C)."""
    weight = 1 + 2 * mask
    return (weight * (pred - target).abs()).sum() / weight.sum()


def test_a_mask_of_what_counts_more_removes_nothing():
    assert found(emphasised, "masked-counts") == []
    assert found(emphasised, "contradicts-claim") == []
