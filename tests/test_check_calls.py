"""How a loss is called and named: further arguments, which of its results is the loss, and code that runs."""

import functools
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from losskit.checker.calling import loss_of
from losskit.checker.listening import graph_ends, heard
from losskit.checker.origin import origin_of
from losskit.checker.subject import Subject


def taken(loss):
    spec = Subject.of(loss).spec
    return spec.kind, spec.scores, spec.layout


@dataclass
class Output:
    accuracy: float
    loss: Tensor


LOSS = torch.tensor(0.5)


@pytest.mark.parametrize(
    "result",
    [
        LOSS,
        (LOSS, 0.9),
        {"dice": torch.tensor(0.2), "loss": LOSS},
        {"accuracy": 0.9, "my_loss": LOSS},
        Output(0.9, LOSS),
        0.5,
        [torch.zeros(3), LOSS],
    ],
    ids=str,
)
def test_the_loss_in_a_result(result):
    assert loss_of(result)[0] == LOSS


def test_a_result_without_a_number_is_refused():
    with pytest.raises(TypeError, match="contains no tensor of numbers"):
        loss_of({"name": "dice"})


class Masked(nn.Module):
    def forward(self, pred, target, mask):
        each = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
        return (each * mask).sum() / mask.sum()


def quantiles(pred, target):
    error = target.unsqueeze(1) - pred
    q = torch.tensor([0.1, 0.5, 0.9])
    return torch.maximum(q * error, (q - 1) * error).mean()


def only_boxes(pred, target):
    if not bool((pred[:, 2:] > pred[:, :2]).all()):
        raise ValueError("x1 < x2")
    return (pred - target).abs().mean() + 0 * pred[:, 3].sum()


def last(logits, labels):
    if logits.dim() != 3:
        raise ValueError("(N, L, C)")
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten())


@pytest.mark.parametrize(
    ("loss", "form"),
    [
        (Masked(), ("binary", "logits", "same")),
        (quantiles, ("regression", "values", "quantiles")),
        (only_boxes, ("regression", "boxes", "boxes")),
        (lambda fake: F.softplus(-fake).mean(), ("penalty", "values", "alone")),
        (lambda s, t: F.kl_div(s.log_softmax(1), t.softmax(1)), ("distribution", "logits", "teacher")),
        (lambda m, v: 0.5 * (m**2 + v.exp() - v - 1).mean(), ("penalty", "values", "log-variance")),
        (lambda x, y: (x.argmax(1) != y).float().mean(), ("multiclass", "logits", "indices")),
    ],
)
def test_what_losses_of_other_kinds_take(loss, form):
    assert taken(loss) == form


def test_a_mask_that_the_call_needs_is_ones_and_is_written_into_the_repro(capsys):
    subject = Subject.of(Masked())
    tensors = subject.example()
    assert subject.value(*tensors) == F.binary_cross_entropy_with_logits(*tensors)
    exec(subject.code(*tensors), {"Masked": Masked})
    assert capsys.readouterr().out.strip() == str(subject.value(*tensors))


def test_a_loss_of_tokens_is_called_with_its_classes_last(capsys):
    subject = Subject.of(last)
    assert subject.spec.way.last
    tensors = subject.example()
    exec(subject.code(*tensors), {"last": last})
    assert capsys.readouterr().out.strip() == str(subject.value(*tensors))


class Holder(nn.Module):
    def __init__(self, base=None, factor=1.0):
        super().__init__()
        self.base, self.factor = base or nn.L1Loss(), factor

    def forward(self, input, target):
        return self.factor * self.base(input, target)


@pytest.mark.parametrize(
    "loss",
    [
        nn.HuberLoss(delta=2.0),
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0])),
        F.mse_loss,
        functools.partial(F.huber_loss, delta=2.0),
        Holder(nn.HuberLoss(delta=3.0), 2.0),
        Holder(factor=2.0).forward,
        nn.DataParallel(nn.MSELoss()),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_code_that_makes_a_loss_again(loss):
    origin = origin_of(loss)
    names = {"Holder": Holder}
    exec(f"import functools\nimport torch\n{origin.imports}\n{origin.construction()}", names)
    target = torch.tensor([0, 1, 2]) if isinstance(loss, nn.CrossEntropyLoss) else torch.randn(3, 3)
    input = torch.randn(3, 3)
    assert torch.equal(names["criterion"](input, target), loss(input, target))


def test_a_loss_without_a_name_is_left_to_its_user():
    origin = origin_of(lambda x, y: F.mse_loss(x, y))
    names = {"criterion": origin.build()}
    exec(f"{origin.imports}\n{origin.construction()}", names)
    assert names["criterion"](LOSS, LOSS) == 0


@pytest.mark.parametrize(
    ("loss", "end"),
    [
        (lambda x, y: (x.argmax(1) != y).float().mean(), "argmax"),
        (lambda x, y: F.cross_entropy(x.detach(), y), "detach"),
        (lambda x, y: F.cross_entropy(x.round(), y), "round"),
        (lambda x, y: ((x > 0).float().sum(1) - y).abs().mean(), "comparison (>)"),
    ],
)
def test_the_operation_at_which_the_graph_ends_is_named(loss, end):
    subject = Subject.of(loss, kind="multiclass", scores="logits", target="indices")
    assert end in " ".join(graph_ends(heard(subject, *subject.example())))
