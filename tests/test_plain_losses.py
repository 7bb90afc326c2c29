"""The plain losses of the mutants are those of the catalogue, and an edit of one is judged by what it changes."""

import ast
import math
import sys
from pathlib import Path

import pytest
import torch

import losskit.functional

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from check.mutants.calls import calls_of
from check.mutants.edits import edits
from check.mutants.judge import FAULT, judged, made, originals

PLAIN = originals()
SMOOTH = {"smooth": 1.0}
COUNTS = [50.0, 30.0, 20.0]
# The options with which the catalogue's loss is the plain one, by name.
OPTIONS = {
    **dict.fromkeys(("dice_loss", "jaccard_loss", "log_cosh_dice_loss", "dice_bce_loss", "dice_ce_loss"), SMOOTH),
    "focal_loss": {"gamma": 2.0, "alpha": 0.25},
    "tversky_loss": {"alpha": 0.3, "beta": 0.7, **SMOOTH},
    "symmetric_cross_entropy_loss": {"alpha": 0.1, "beta": 1.0, "floor": math.exp(-4)},
    "logit_adjusted_loss": {"prior": COUNTS},
    "ldam_loss": {"class_counts": COUNTS},
    "quantile_loss": {"quantiles": 0.9},
    "expectile_loss": {"tau": 0.7},
    "margin_ranking_loss": {"margin": 0.5},
}
# The same formula on other arguments, or with the numbers of this library added up otherwise.
APART = {"combo_loss", "coral_loss", "focal_tversky_loss", "generalized_dice_loss", "kl_div", "silog_loss"}
APART |= {"pearson_loss", "concordance_loss", "beta_nll_loss", "laplace_nll_loss", "student_t_nll_loss", "crps_loss"}


@pytest.mark.parametrize("name", sorted(set(PLAIN) & set(dir(losskit.functional)) - APART))
def test_a_plain_loss_equals_the_catalogues(name):
    call = calls_of(name)[0]
    plain = made(PLAIN[name])(*call)
    ours = getattr(losskit.functional, name)(*call, **OPTIONS.get(name, {}))
    torch.testing.assert_close(plain, ours, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("code", "judgement"),
    [
        ("return (target - pred).abs().mean()", "it is equal"),
        ("return (pred - target).abs().sum()", "its gradient is the same up to a factor"),
        ("return (pred - target).abs().mean() - 1", "its gradient is the same up to a factor"),
        ("return (pred - target).abs().mean() @ pred", "it does not run"),
        ("return (pred - target).mean()", FAULT),
        ("return (pred - target).abs_().mean()", "it is equal"),
        ("return (pred.sub_(target)).abs().mean()", FAULT),
        ("return (pred - target).abs().mean().detach()", FAULT),
    ],
)
def test_an_edit_is_judged_by_what_it_changes(code, judgement):
    function = ast.parse(f"def l1_loss(pred, target):\n    {code}").body[0]
    assert judged("l1_loss", made(PLAIN["l1_loss"]), made(function)) == judgement


def test_every_edit_changes_one_place_of_the_code():
    before = ast.unparse(PLAIN["giou_loss"]).splitlines()
    for edit in edits(PLAIN["giou_loss"]):
        after = ast.unparse(edit.function).splitlines()
        assert len(after) in (len(before), len(before) + 1)
        assert len(set(after) - set(before)) <= 1, edit.said
