"""Curves of losses have the values of their formulas, and pictures show all of them."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from torch import nn

import losskit
from cases import ENTRIES, made
from losskit.core.catalogue import Entry
from losskit.figures.curves import curves, curves_together
from losskit.figures.plots import figure, save

sys.path.append(str(Path(__file__).parents[1] / "docs"))
from extension.plots import WITHOUT


def test_curves_have_the_values_and_slopes_of_the_formula() -> None:
    (bce,) = curves(losskit.BCEWithLogitsLoss())
    assert bce.value == pytest.approx([math.log1p(math.exp(-x)) for x in bce.x], abs=1e-9)
    assert bce.gradient == pytest.approx([-1 / (1 + math.exp(x)) for x in bce.x], abs=1e-9)
    (mse,) = curves(losskit.MSELoss())
    assert mse.value == pytest.approx([x**2 for x in mse.x], abs=1e-9)
    assert mse.gradient == pytest.approx([2 * x for x in mse.x], abs=1e-9)


def test_curves_of_a_region_loss_by_hand() -> None:
    confidence, overlap = curves(losskit.DiceLoss())
    for x, value in zip(confidence.x, confidence.value, strict=True):
        p = 1 / (1 + math.exp(-x))  # TP = 64 p, P = 64 p + 512 (1 - p), T = 64
        assert value == pytest.approx(1 - 128 * p / (64 * p + 512 * (1 - p) + 64), abs=1e-9)
    sure = 1 / (1 + math.exp(-4))
    for share, value in zip(overlap.x, overlap.value, strict=True):
        both = 64 * 2 * share / (1 + share)  # pixels that object and prediction share
        found = both * sure + (64 - both) * (1 - sure)
        assert value == pytest.approx(1 - 2 * found / (64 * sure + 512 * (1 - sure) + 64), abs=1e-9)


def test_the_gradient_over_the_overlap_is_the_sum_of_its_sizes() -> None:
    overlap = curves_together([losskit.BCEWithLogitsLoss(), losskit.DiceLoss()])[0][1]
    sure = 1 / (1 + math.exp(-4))  # a wrong pixel has the slope of sure / 576, a right one of (1 - sure) / 576
    for share, gradient in zip(overlap.x, overlap.gradient, strict=True):
        wrong = 2 * (64 - 64 * 2 * share / (1 + share))
        assert gradient == pytest.approx((wrong * sure + (576 - wrong) * (1 - sure)) / 576, abs=1e-9)


def test_the_opposite_truth_is_drawn_where_it_is_not_the_mirror_image() -> None:
    assert [c.opposite for c in curves(losskit.FocalLoss())] == [False]
    assert [c.opposite for c in curves(losskit.FocalLoss(alpha=0.25))] == [False, True]


def test_element_losses_join_region_losses_on_the_image() -> None:
    together = curves_together([losskit.BCEWithLogitsLoss(), losskit.DiceLoss(), nn.BCEWithLogitsLoss()])
    assert [[c.over for c in found] for found in together] == [["confidence", "overlap"]] * 3
    assert together[0][0].value == pytest.approx(together[2][0].value, abs=1e-9)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_loss_has_curves_or_says_why_not(entry: Entry) -> None:
    if entry.loss.__name__ in WITHOUT and entry.loss.__name__ != "NormalizedLoss":  # its page has no text for it
        with pytest.raises(ValueError, match=r"it has no curve|cannot be drawn"):
            curves(made(entry, classes=2))
        return
    for curve in curves(made(entry, classes=2)):
        assert len(curve.x) == len(curve.value) == len(curve.gradient) > 50
        assert max(curve.value) > min(curve.value)
        assert any(curve.gradient)


def test_a_figure_has_a_row_for_each_view_and_a_line_for_each_loss(tmp_path: Path) -> None:
    picture = figure({"a": losskit.DiceLoss(), "b": losskit.FocalLoss(), "c": losskit.MSELoss()})
    assert len(picture.axes) == 6
    lines = [[line for line in axes.lines if line.get_zorder() > 0] for axes in picture.axes]
    assert [len(found) for found in lines] == [2, 2, 2, 2, 1, 1]
    assert [text.get_text() for text in picture.legends[0].get_texts()] == ["a", "b", "c"]
    assert len({line.get_color() for line in lines[0]}) == 2
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in picture.axes)
    with pytest.raises(ValueError, match=r"ends in one of \.png, \.svg"):
        save(picture, tmp_path / "curves.jpgg")


def test_a_curve_that_dwarfs_the_others_leaves_the_frame() -> None:
    left = figure([losskit.MSELoss(), losskit.PoissonNLLLoss()]).axes[0]
    assert 16 <= left.get_ylim()[1] < 30  # mse ends at 16, Poisson above 140
