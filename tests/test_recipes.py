"""The recipes of docs/coming-from.md, each against what it stands for."""

from __future__ import annotations

import pytest
import torch

import losskit
from peers import SINGLE, peer
from recipes import ALL, HOT, RECIPES, Recipe, X, difference

IN_SINGLE = ("MONAI's `FocalLoss", "timm")  # which compute in float32 whatever they are given
EPS = "kornia's Dice"  # its eps stays in the denominator


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.what)
def test_equal(recipe: Recipe) -> None:
    single = any(name in recipe.what for name in IN_SINGLE)
    assert difference(recipe) < (SINGLE if single else 1e-8 if EPS in recipe.what else 1e-12)


def test_none_has_a_number_a_class() -> None:
    """`reduction="none"` of region losses is (N, C), and MONAI's (N, C, 1, 1)."""
    monai = peer("monai").DiceLoss(softmax=True, reduction="none")(X, HOT)
    ours = losskit.DiceLoss(smooth=1e-5, absent="formula", reduction="none")(X, ALL)
    assert monai.shape == (3, 4, 1, 1)
    torch.testing.assert_close(ours, monai[..., 0, 0], rtol=1e-12, atol=1e-12)
