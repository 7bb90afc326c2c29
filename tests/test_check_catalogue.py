"""The checker on the catalogue, on PyTorch's losses, and on behaviour that is not a fault."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import losskit
from cases import ELSEWHERE, ENTRIES, made
from effort import one_in
from losskit import functional
from losskit.checker import battery
from losskit.checker.finding import Severity
from losskit.checker.spec import Unsure
from losskit.checker.subject import Subject
from unknown import UNKNOWN

sys.path.append(str(Path(__file__).parent.parent / "docs"))
from measure import matrix

# test_citizenship.py compiles and exports the catalogue.
SLOW = ("compile", "export")
THIN = "a position by itself is no structure: what counts is a skeleton, or what an erosion leaves"
ONE_NUMBER = "a function of the whole batch's mean: one number, whatever the reduction"
WAIVED = {
    "mean_focal_loss": {"reductions-disagree": ONE_NUMBER, "focal-of-mean": "it is defined so, and says it"},
    "equalization_loss": {"unused-argument": "weights follow the batches before, and a new loss has none"},
    "seesaw_loss": dict.fromkeys(("slope-disagrees", "second-derivative"), "the compensation takes no gradient"),
    "active_contour_loss": {"activated-twice": "what is left is the length of the right contour"},
    "boundary_loss": {"wrong-answers-unlearnt": "the outermost positions inside are at distance 0"},
    "cldice_loss": {"labels-left-out": THIN},
    "skeleton_recall_loss": {"labels-left-out": THIN},
}


def report_of(criterion, waive=None, slow=SLOW, **told):
    asked = [check for check in battery.checks() if check not in slow]
    return battery.run(Subject.of(criterion, **told), select=asked, waive=waive)


def sound(report):
    """Nothing worse than a property, and every check finished."""
    assert [finding for finding in report if finding.severity < Severity.PROPERTY] == [], report
    assert report.with_status("failed") == []
    assert [waived.check for waived in report.waived if not waived.findings] == [], "a waiver that nothing needs"


KNOWN = [e for e in ENTRIES if e.name not in ELSEWHERE.union(*UNKNOWN.values())]


@pytest.mark.parametrize("entry", one_in(12, KNOWN, lambda entry: entry.name, always=WAIVED))
def test_the_catalogue_is_sound(entry):
    sound(report_of(made(entry), WAIVED.get(entry.name)))


@pytest.mark.parametrize("name", ["DiceLoss", "FocalLoss", "LovaszLoss"])
def test_the_catalogue_is_sound_in_several_classes(name):
    sound(report_of(getattr(losskit, name)(), kind="multiclass"))


def test_a_composite_is_sound():
    sound(report_of(losskit.DiceLoss() + 0.5 * losskit.FocalLoss(gamma=1.0), kind="multiclass"))


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_the_checker_cannot_call_it_says_so(name):
    (entry,) = (e for e in ENTRIES if e.name == name)
    with pytest.raises(Unsure):
        Subject.of(made(entry))


@pytest.mark.parametrize(
    "criterion",
    [
        nn.CrossEntropyLoss(),
        nn.BCEWithLogitsLoss(),
        nn.MSELoss(),
        nn.L1Loss(),
        nn.HuberLoss(),
        nn.KLDivLoss(reduction="batchmean"),
    ],
    ids=lambda criterion: type(criterion).__name__,
)
def test_pytorchs_usual_losses_have_no_fault(criterion):
    report = report_of(criterion, slow=())
    assert report.exit_code() == 0, report
    assert report.with_status("failed") == []


def info_nce(one, other):
    """Each sample's partner against the partners of the others."""
    scores = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T / 0.1
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def no_half(input, target):
    if input.dtype in (torch.float16, torch.bfloat16):
        raise RuntimeError('"my_kernel" not implemented for half precision')
    return functional.mse_loss(input, target)


NO_FAULTS = [
    ("label smoothing does not reach 0", nn.CrossEntropyLoss(label_smoothing=0.1), {}),
    ("the Gaussian likelihood goes below 0", nn.GaussianNLLLoss(eps=1e-4), {}),
    ("a kink of L1", nn.SmoothL1Loss(beta=0.0), {}),
    ("kinks of a hinge", nn.HingeEmbeddingLoss(), {}),
    ("kinks of Lovász", losskit.LovaszLoss(), {}),
    ("a margin that is kept has no gradient", nn.MarginRankingLoss(margin=0.5), {}),
    ("a triplet that is right has no gradient", nn.TripletMarginLoss(), {}),
    ("contrastive losses depend on the batch", info_nce, {"kind": "pairs", "target": "partners"}),
    ("a pooled loss depends on the batch", losskit.DiceLoss(pool="batch"), {"kind": "binary"}),
    ("random points", losskit.MaskBCELoss(num_points=8), {}),
    ("focal losses ignore what is easy", losskit.FocalLoss(gamma=5.0), {"kind": "binary"}),
    ("probabilities on purpose", nn.BCELoss(), {}),
    ("half precision that is refused", no_half, {"kind": "regression"}),
]


@pytest.mark.parametrize(("criterion", "told"), [row[1:] for row in NO_FAULTS], ids=[row[0] for row in NO_FAULTS])
def test_what_is_no_fault_is_not_called_one(criterion, told):
    report = report_of(criterion, **told)
    assert report.exit_code() == 0, report
    assert report.with_status("failed") == []


def test_a_regression_target_may_be_of_any_size():
    report = battery.run(Subject.of(functional.mse_loss, kind="regression"), select=["mask-of-255"])
    assert [outcome.status for outcome in report.outcomes] == ["not applicable"]


def test_the_page_of_the_matrix_is_of_these_checks_and_losses():
    page = matrix.PAGE.read_text(encoding="utf-8")
    missing = [each for each in battery.checks() if f"`{each}`" not in page]
    missing += [row.name for row in [*matrix.ours(), *matrix.ROWS] if f"`{row.name}`" not in page]
    assert not missing, "python docs/measure/matrix.py writes the page anew"


def test_the_matrix_marks_what_was_found():
    row = matrix.Row("torch", "torch.nn:MSELoss", {}, {"kind": "regression"})
    page = matrix.page({row: matrix.report_of(row)})
    assert "| `broadcasts` | T |" in page
    assert "| torch | 1 | 0 | 1 | 0 |" in page
