"""Quantities: a variable that has the name of something known is compared with what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from losskit.checker.quantities import promised
from losskit.checker.quantities.quantity import QUANTITIES, parts_of, written
from losskit.checker.subject import Subject

TD = """
import torch
import torch.nn.functional as F


def td_loss(q, rewards, not_done, next_q, gamma: float = 0.9):
    \"\"\"Squared error of one step; all (B,).\"\"\"
    live = not_done.float()
    target = {target}
    return F.mse_loss(q, target.detach())
"""


def found_in(tmp_path: Path, code: str, name: str) -> list[str]:
    (tmp_path / "mine.py").write_text(code)
    cases = promised.cases_of(Subject.of(f"{tmp_path / 'mine.py'}:{name}"))
    assert cases, "no variable is named after a quantity"
    return [each.what for each in promised.differences(cases)]


@pytest.mark.parametrize("target", ["rewards + gamma * not_done * next_q", "rewards + (gamma * next_q) * not_done"])
def test_sound_target(tmp_path: Path, target: str) -> None:
    assert found_in(tmp_path, TD.format(target=target), "td_loss") == []


@pytest.mark.parametrize("target", ["rewards + gamma * not_done + next_q", "rewards + gamma * (1 - not_done) * next_q"])
def test_faulty_target(tmp_path: Path, target: str) -> None:
    (said,) = found_in(tmp_path, TD.format(target=target), "td_loss")
    assert said == (
        f"mine.py, line 9: `target = {target}` is not the target of a temporal difference, "
        "`rewards + gamma * not_done * next_q`"
    )


def test_repro_prints_both_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: 1 + 0.9 * 0 * 2 = 1 at the end of an episode, where the fault gives 1 + 0.9 * 0 + 2 = 3."""
    (tmp_path / "mine.py").write_text(TD.format(target="rewards + gamma * not_done + next_q"))
    (case,) = promised.cases_of(Subject.of(f"{tmp_path / 'mine.py'}:td_loss"))
    (found,) = promised.differences([case])
    exec(found.repro, {})
    assert capsys.readouterr().out.count("tensor(") == 2
    values = {"rewards": 1.0, "gamma": 0.9, "not_done": 0.0, "next_q": 2.0}
    assert eval("rewards + gamma * not_done + next_q", values) == 3
    assert eval(found.what.split("`")[3], values) == 1


@pytest.mark.parametrize("each", QUANTITIES, ids=lambda each: each.said)
def test_formulas_name_their_parts(each: object) -> None:
    """Every formula runs on its parts and no others."""
    for formula in each.formulas:
        known = set(each.parts)
        assert parts_of(formula) <= known | {"None"}, formula
        assert parts_of(formula), formula
    assert written("r + gamma * v", {"r": "reward", "v": "next_v", "gamma": "self.gamma"}) == (
        "reward + self.gamma * next_v"
    )
