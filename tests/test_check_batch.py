"""A user's own batch: its faults are reported first, and a sound batch has none."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from losskit.checker.battery import checks_of_batch
from losskit.checker.user_call import load


def check(*arguments, **options):
    return losskit.check(*arguments, isolate=False, **options)


@pytest.fixture
def images():
    """Logits, and labels of three of five classes; sample 0 has only one class."""
    make = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (4, 8, 8), generator=make)
    target[0] = 0
    return torch.randn(4, 5, 8, 8, generator=make), target


def first(report):
    return report.findings[0].check


def test_a_softmax_too_many_comes_first(images):
    input, target = images
    report = check(nn.CrossEntropyLoss(), input.softmax(1), target)
    assert first(report) == "batch-activation"
    assert "softmax" in report.findings[0].what
    assert report.exit_code() == 1
    assert not check(nn.CrossEntropyLoss(), input, target)["batch-activation"]


def test_a_sigmoid_too_many():
    target = (torch.rand(4, 1, 8, 8) < 0.3).float()
    input = torch.randn(4, 1, 8, 8)
    assert first(check(nn.BCEWithLogitsLoss(), input.sigmoid(), target)) == "batch-activation"
    assert not check(nn.BCEWithLogitsLoss(), input, target)["batch-activation"]


def test_logits_where_probabilities_belong():
    target = (torch.rand(4, 1, 8, 8) < 0.3).float()

    def dice(input, target):
        return 1 - 2 * (input * target).sum() / (input.sum() + target.sum())

    input = torch.randn(4, 1, 8, 8)
    assert first(check(dice, input, target)) == "batch-activation"
    assert not check(dice, input.sigmoid(), target)["batch-activation"]


def test_classes_that_are_no_log_probabilities(images):
    input, target = images
    assert check(nn.NLLLoss(), input, target)["batch-activation"]
    assert not check(nn.NLLLoss(), input.log_softmax(1), target)["batch-activation"]


def test_a_mask_of_255():
    target = (torch.rand(4, 1, 8, 8) < 0.3).float()
    report = check(nn.BCEWithLogitsLoss(), torch.randn(4, 1, 8, 8), 255 * target)
    assert "255" in report["batch-labels"][0].what
    assert not check(nn.BCEWithLogitsLoss(), torch.randn(4, 1, 8, 8), target)["batch-labels"]


def test_a_class_index_out_of_range_is_refused_and_named(images):
    input, target = images
    target[1, 2, 3] = 5
    report = check(nn.CrossEntropyLoss(), input, target)
    assert first(report) == "batch-refused"
    assert "contains 5" in report["batch-labels"][0].what


def test_absent_classes_and_ignored_labels_are_counted(images):
    input, target = images
    target[1:3, :4] = -100
    target[3] = -100
    report = check(nn.CrossEntropyLoss(), input, target)
    classes = {(n, c) for n in range(4) for c in target[n].unique().tolist() if c >= 0}
    assert f"{1 - len(classes) / 20:.0%} of the (sample, class) pairs" in report["batch-absent"][0].what
    assert "3, 4 never occur" in report["batch-absent"][0].evidence
    assert "50.0% of the labels" in report["batch-ignored"][0].what
    assert "1 of 4 samples" in report["batch-ignored"][0].evidence
    assert not report["batch-labels"]  # ignored positions may hold any label


def test_samples_without_foreground_are_counted():
    target = torch.zeros(3, 1, 4, 4)
    target[1, 0, :2] = 1
    report = check(losskit.DiceLoss(), torch.randn(3, 1, 4, 4), target)
    assert "2 of 3 samples" in report["batch-absent"][0].what


def test_where_the_gradient_goes(images):
    """Against shares computed from the closed form of cross-entropy's gradient."""
    input, target = images
    slope = (input.softmax(1) - F.one_hot(target, 5).movedim(-1, 1)).abs().sum(1)
    wanted = float(slope[target == 0].sum() / slope.sum())
    said = check(nn.CrossEntropyLoss(), input, target)["batch-gradient"][0].evidence
    assert said["class 0"].startswith(f"{wanted:.0%} of the gradient, {float((target == 0).float().mean()):.0%}")
    assert set(said) == {"class 0", "class 1", "class 2", "boundary"}


def test_the_boundary_is_where_neighbours_differ():
    from losskit.checker.checks.batch_gradient import _boundary

    labels = torch.zeros(1, 5, 5, dtype=torch.long)
    labels[0, 2, 2] = 1
    cross = torch.zeros(1, 5, 5, dtype=torch.bool)
    cross[0, 2, 1:4] = cross[0, 1:4, 2] = True
    assert torch.equal(_boundary(labels, channels=False), cross)
    assert torch.equal(_boundary(labels[None], channels=True)[0], cross)


def test_a_loss_that_counts_has_no_gradient(images):
    def errors(input, target):
        return (input.argmax(1) != target).float().mean() + 0 * input.sum()

    report = check(errors, *images, kind="multiclass", scores="logits", layout="indices")
    assert first(report) == "batch-no-gradient"
    assert report.exit_code() == 1


def test_wrong_answers_without_gradient_are_counted(images):
    input, target = images

    def sure_ones_only(input, target):
        loss = F.cross_entropy(input, target, reduction="none")
        return loss[loss < 0.7].sum() / loss.numel()

    report = check(sure_ones_only, input, target, kind="multiclass", scores="logits", layout="indices")
    assert "wrong predictions" in report["batch-no-gradient"][0].what
    assert not check(nn.CrossEntropyLoss(), input, target)["batch-no-gradient"]


def test_a_gradient_that_leads_up(images):
    class Backwards(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            return -slope

    def wrong_way(input, target):
        return F.cross_entropy(Backwards.apply(input), target)

    report = check(wrong_way, *images, kind="multiclass", scores="logits", layout="indices")
    assert first(report) == "batch-descent"


def test_a_loss_with_a_floor_says_how_low_it_can_go(images):
    def twice(input, target):
        return F.cross_entropy(input.softmax(1), target)

    report = check(twice, *images)
    lowest = float(torch.tensor([1.0, 0, 0, 0, 0]).log_softmax(0)[0].neg())
    assert report["batch-floor"][0].evidence["all predictions correct"] == pytest.approx(lowest, rel=1e-3)
    assert not check(nn.CrossEntropyLoss(), *images)["batch-floor"]


def test_the_accumulation_error_is_that_of_this_batch(images):
    input, target = images
    target[:2, :6] = -100
    x = input.clone().double().requires_grad_()
    (whole,) = torch.autograd.grad(F.cross_entropy(x, target), x)
    halves = (F.cross_entropy(x[:2], target[:2]) + F.cross_entropy(x[2:], target[2:])) / 2
    (parts,) = torch.autograd.grad(halves, x)
    wanted = float((parts - whole).norm() / whole.norm())
    said = check(nn.CrossEntropyLoss(), input, target)["batch-accumulation"][0].evidence
    assert said["gradient error in 2 parts"] == f"{wanted:.1%}"
    assert not check(nn.CrossEntropyLoss(), *images[:1], images[1].clamp_min(0))["batch-accumulation"]


def test_a_sound_batch_is_no_fault(images):
    input, _ = images
    target = torch.arange(5).repeat(4, 13)[:, :64].view(4, 8, 8)
    report = check(nn.CrossEntropyLoss(), input, target)
    assert report.exit_code(strict=True) == 0
    assert {f.check for f in report} == {"batch-gradient"}


def test_a_nan_in_the_batch_is_told_from_one_of_the_loss(images):
    input, target = images
    input[0, 0, 0, 0] = float("nan")
    assert "input of the batch is itself not finite" in check(nn.CrossEntropyLoss(), input, target).findings[0].evidence


def test_a_small_batch_is_spelt_out_in_the_repro(capsys):
    input = torch.tensor([[3.0, -1.0], [0.5, 0.25]])
    report = check(nn.CrossEntropyLoss(), input.softmax(1), torch.tensor([0, 1]))
    exec(report["batch-activation"][0].repro, {})
    assert "tensor(0.01" in capsys.readouterr().out


@pytest.mark.parametrize(
    "held",
    [
        lambda x, y: (x, y),
        lambda x, y: [x, y],
        lambda x, y: {"input": x, "target": y},
        lambda x, y: {"label": y, "logits": x},
    ],
)
def test_a_batch_is_read_from_a_file(tmp_path, held, images):
    torch.save(held(*images), tmp_path / "batch.pt")
    assert all(torch.equal(a, b) for a, b in zip(load(tmp_path / "batch.pt"), images, strict=True))


def test_a_file_that_holds_no_batch_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"There is no file .* torch\.save"):
        load(tmp_path / "absent.pt")
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"takes \(input, target\), and the call is a dict of x"):
        losskit.check(nn.MSELoss(), batch=str(tmp_path / "other.pt"))
    (tmp_path / "code.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ValueError, match="does not load"):
        load(tmp_path / "code.pt")


def test_every_question_is_asked(images):
    assert {o.check for o in check(nn.CrossEntropyLoss(), *images).outcomes} == set(checks_of_batch())


def test_shapes_that_differ_come_first():
    report = check(nn.MSELoss(), torch.randn(16, 1), torch.randn(16))
    assert first(report) == "batch-shapes"
    assert "target (16,) and input (16, 1) differ in shape" in report.findings[0].what
    assert not check(nn.MSELoss(), torch.randn(16, 1), torch.randn(16, 1))["batch-shapes"]


def test_one_class_and_integer_inputs_come_first():
    labels = torch.zeros(8, dtype=torch.long)
    assert "one class" in check(nn.CrossEntropyLoss(), torch.randn(8, 1), labels).findings[0].what
    integers = torch.randint(5, (8, 3))
    assert "int64" in check(nn.MSELoss(), integers, torch.randn(8, 3)).findings[0].what


def test_labels_without_positions_are_counted():
    labels = torch.tensor([0, 1, -100, 1])
    report = check(nn.CrossEntropyLoss(), torch.randn(4, 3), labels)
    assert not report.with_status("failed")
    assert "25.0%" in report["batch-ignored"][0].what
    assert "classes 2 never" in report["batch-absent"][0].evidence


def test_a_batch_that_is_ignored_whole_is_a_fault():
    report = check(nn.CrossEntropyLoss(), torch.randn(4, 3), torch.full((4,), -100))
    assert "every label of this batch is ignored" in [each.what.split(":")[0] for each in report]


def test_classes_and_sizes_are_learnt_from_the_batch():
    def ten(input, target):
        if input.shape[1:] != (10, 7, 6):
            raise ValueError("10 classes, 7 x 6")
        return F.cross_entropy(input, target)

    report = check(ten, torch.randn(2, 10, 7, 6), torch.randint(10, (2, 7, 6)))
    assert (report.spec.classes, report.spec.spatial) == (10, (7, 6))


def test_an_example_in_code_says_what_the_loss_takes(tmp_path):
    lines = ["import torch", "def batch():", "    return torch.randn(2, 7, 6), torch.zeros(2, 6).long()"]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    report = check(nn.CrossEntropyLoss(), example=f"{tmp_path / 'mine.py'}:batch", select=["no-graph"])
    assert (report.spec.classes, report.spec.spatial) == (7, (6,))
