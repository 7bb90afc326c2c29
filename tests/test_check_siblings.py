"""Statements that were copied from another one, and variables that were left unchanged in them."""

from __future__ import annotations

import ast
import textwrap

import pytest

from losskit.checker.checks.siblings import copies


def slips(code: str) -> list[str]:
    tree = ast.parse(textwrap.dedent(code)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return [said for _, _, said in copies(tree)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rejected = (r_tok * c_keep).sum(-1) / r_keep.sum(-1)", "reads c_keep"),
        ("rejected = (r_tok * r_keep).sum(-1) / c_keep.sum(-1)", "reads c_keep"),
        ("rejected = (r_tok * r_keep).sum(-1) / r_keep.sum(-1)", ""),
        ("rejected = (r_tok * keep).sum(-1) / keep.sum(-1)", ""),
    ],
)
def test_a_name_of_the_other_side(line: str, said: str) -> None:
    found = slips(f"""
        def loss(c_tok, r_tok, c_keep, r_keep, keep):
            chosen = (c_tok * c_keep).sum(-1) / c_keep.sum(-1)
            {line}
            return rejected - chosen
    """)
    assert [each.startswith(said) for each in found] == [True] * bool(said)


@pytest.mark.parametrize(
    "code",
    [
        # Each side is compared with the other one, whose gradient is cut.
        "loss_a = f(p_a, z_b.detach())\n    loss_b = f(p_b, z_a.detach())",
        # The sides share a target.
        "loss_a = f(p_a, y_true.detach())\n    loss_b = f(p_b, y_true.detach())",
        # Moments and cross moments.
        "xx = f(x_a, x_a)\n    xy = f(x_a, x_b)",
        "grad_x = torch.zeros(n, c, h, w)\n    grad_y = torch.zeros(n, c, h, w)",
    ],
)
def test_sides_that_differ_on_purpose(code: str) -> None:
    assert slips(f"def loss(f, n, c, h, w, p_a, p_b, z_a, z_b, x_a, x_b, y_true):\n    {code}\n    return 0") == []


def test_the_same_for_two_directions() -> None:
    code = "def loss(u):\n    dx = u[1:, :] - u[:-1, :]\n    dy = u[1:, :] - u[:-1, :]\n    return dx + dy"
    assert slips(code) == ["is the same as dx"]
