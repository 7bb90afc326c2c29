"""An example call says what a loss takes: every kind of argument, and what is wrong with a call that is none."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from losskit.checker.origin import origin_of
from losskit.checker.user_batch import subject_of


class Heads(NamedTuple):
    boxes: object
    scores: torch.Tensor


def taken(loss, example):
    """The subject of a loss with an example, whose own example calls return a number."""
    subject = subject_of(origin_of(loss), None, example, {})
    assert subject.value(*subject.example()).isfinite()
    return subject


def of_dicts(outputs, targets):
    scores = F.cross_entropy(outputs["scores"], targets["label"])
    return scores + F.l1_loss(outputs["boxes"], targets["boxes"])


def test_dicts_of_tensors_of_several_shapes():
    outputs = {"scores": torch.randn(6, 5), "boxes": torch.randn(6, 4)}
    subject = taken(of_dicts, (outputs, {"label": torch.randint(5, (6,)), "boxes": torch.randn(6, 4)}))
    assert subject.spec.tensors == ("outputs_scores", "outputs_boxes", "targets_label", "targets_boxes")
    assert "{'scores': outputs_scores, 'boxes': outputs_boxes}" in subject.call_code()


def test_a_list_of_dicts_one_for_each_sample():
    def matched(outputs, targets):
        return sum(F.mse_loss(x, each["boxes"]) for x, each in zip(outputs, targets, strict=True))

    boxes = [torch.randn(2, 4), torch.randn(3, 4)]
    subject = taken(matched, (boxes, [{"boxes": torch.randn(n, 4), "id": 7} for n in (2, 3)]))
    assert "[{'boxes': targets_0_boxes, 'id': 7}, {'boxes': targets_1_boxes, 'id': 7}]" in subject.call_code()


def test_features_of_several_sizes_and_a_named_tuple():
    def of_features(student, teacher, heads):
        pairs = zip(student, teacher, strict=True)
        return sum(F.mse_loss(a.mean(1), b.mean(1)) for a, b in pairs) + heads.scores.square().mean()

    def features(*widths):
        return [torch.randn(2, n, 6 - n, 6 - n) for n in widths]

    taken(of_features, (features(2, 3), features(2, 3), Heads(None, torch.randn(2, 3))))


def test_numbers_text_and_none():
    def weighted(input, target, weight, reduction, scale):
        made = F.mse_loss(input, target, reduction=reduction)
        return scale * (made if weight is None else made * weight)

    subject = taken(weighted, (torch.randn(8, 3), torch.randn(8, 3), None, "sum", 2.5))
    assert subject.call_code() == "criterion(input, target, None, 'sum', 2.5)"
    assert subject.spec.kind == "regression"


@pytest.mark.parametrize("apart", [True, False])
def test_arguments_by_name(apart):
    def masked(input, target, scale=1.0, mask=None):
        assert mask is not None
        return scale * ((input - target).square() * mask).sum() / mask.sum()

    pair, others = (torch.randn(8, 3), torch.randn(8, 3)), {"mask": torch.ones(8, 3)}
    example = (pair, others) if apart else {"input": pair[0], "target": pair[1], **others}
    subject = taken(masked, example)
    assert [each.name for each in subject.spec.way.extras] == ["scale", "mask"]


def test_a_model():
    def residual(model, x, source):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope.sum(1, keepdim=True) - source).square().mean()

    subject = taken(residual, (nn.Linear(2, 1), torch.rand(16, 2), torch.rand(16, 1)))
    assert subject.spec.way.inside


def test_a_boolean_mask_beside_boxes():
    def of_positives(pred, target, positive):
        return F.l1_loss(pred[positive], target[positive])

    taken(of_positives, (torch.rand(2, 9, 4), torch.rand(2, 9, 4), torch.rand(2, 9) < 0.5))


def test_ranges_and_vocabulary():
    def tokens(logits, labels):
        assert logits.shape[-1] == 11
        assert labels.min() >= 1
        return F.cross_entropy(logits.flatten(0, 1), labels.flatten())

    subject = taken(tokens, (torch.randn(3, 7, 11), torch.randint(1, 11, (3, 7))))
    assert subject.example()[0].shape[-1] == 11


def test_scores_outside_0_and_1_are_no_probabilities():
    def brier(input, target):
        return (input - target).square().sum() / target.sum()

    target = (torch.rand(8, 3) < 0.5).float()
    assert taken(brier, (torch.randn(8, 3), target)).spec.scores != "probabilities"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def make(): return None", "returns None. It must be the arguments of one call"),
        ("def make(size): return size", "takes size; it must take no arguments"),
        ("def make(): raise KeyError('x')", "raises KeyError"),
        ("def make(): return numpy.zeros(3), torch.zeros(3)", "argument 1 is ndarray"),
        ("def make(): return (torch.zeros(3),) * 3", r"passes \(a tensor \(3,\), a tensor \(3,\), a tensor \(3,\)\)"),
        ("def other(): return 1", "make"),
    ],
)
def test_what_is_no_call_is_refused(tmp_path, code, said):
    (tmp_path / "mine.py").write_text(f"import torch, numpy\n{code}\n")
    with pytest.raises(ValueError, match=said):
        subject_of(origin_of(nn.MSELoss()), None, f"{tmp_path / 'mine.py'}:make", {})


def test_a_file_without_a_function_lists_its_functions(tmp_path):
    (tmp_path / "mine.py").write_text("def batch(): return 1\n")
    with pytest.raises(ValueError, match=r"mine\.py:batch"):
        subject_of(origin_of(F.mse_loss), None, str(tmp_path / "mine.py"), {})


def test_a_batch_with_a_mask_and_of_dicts():
    def masked(input, target, mask):
        return ((input - target).abs() * mask).sum() / mask.sum()

    pair = torch.randn(8, 3), torch.randn(8, 3)
    assert not losskit.check(masked, *pair, torch.ones(8, 3), isolate=False).with_status("failed")
    nothing = losskit.check(masked, *pair, torch.zeros(8, 3), isolate=False)
    assert nothing.findings[0].check == "batch-refused"
    outputs = {"scores": torch.randn(6, 5), "boxes": torch.full((6, 4), torch.nan)}
    targets = {"label": torch.randint(5, (6,)), "boxes": torch.randn(6, 4)}
    assert losskit.check(of_dicts, outputs, targets, isolate=False).findings[0].check == "batch-refused"


def test_a_batch_of_one_argument():
    report = losskit.check(lambda losses: sum(losses) / 2, [torch.ones(()), torch.ones(())], isolate=False)
    assert report.exit_code() == 0


def test_an_array_is_refused():
    with pytest.raises(ValueError, match="ndarray"):
        losskit.check(F.mse_loss, example=(np.zeros(3), np.zeros(3)))
