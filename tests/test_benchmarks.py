"""The benchmark compares the same function, tells who does not compute it, and keeps what it measured."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from bench import chart, contenders, gate, isolation, measure, memory, report, store, workloads
from bench.__main__ import main
from bench.contenders import Contender
from bench.measure import FAILED, OK, REFUSED, SKIPPED, Outcome, Settings
from bench.workloads import BINARY, BINARY_LOSSES, CITY, CLASS_LOSSES, Cell, Shape, pools

ONE, SEVERAL, VOLUME, LABELS = (2, 1, 16, 16), (2, 5, 16, 16), (2, 4, 4, 4, 4), (8, 20)
FAST = Settings(rounds=1)


def cell(loss: str, pool: str = "", shape: Shape = ONE, *, compiled: bool = False, dtype: str = "float32") -> Cell:
    return Cell("table", loss, pool, shape, dtype, 1, compiled)


EVERY = [
    cell(loss, pool, shape)
    for shape, losses in ((ONE, BINARY_LOSSES), (SEVERAL, CLASS_LOSSES), (VOLUME, CLASS_LOSSES), (LABELS, CLASS_LOSSES))
    for loss in losses
    for pool in pools(loss, shape)
]


@pytest.mark.parametrize("asked", EVERY, ids=str)
def test_every_contender_computes_the_same_function(asked: Cell) -> None:
    right = gate.Gate(asked, *workloads.data(asked.shape))
    for contender in contenders.contenders(asked):
        right.function(contender.call)
        right.numbers(contender.call)


WRONG = {
    "a factor": lambda x, t: 1.01 * F.binary_cross_entropy_with_logits(x, t),
    "a gradient that stops": lambda x, t: F.binary_cross_entropy_with_logits(x - 0.05 * (x - x.detach()), t),
    "half of the elements": lambda x, t: F.binary_cross_entropy_with_logits(x[:1], t[:1]) + 0 * x.sum(),
    "not a number": lambda x, t: F.binary_cross_entropy_with_logits(x, t) + float("nan"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_contender_is_refused_and_not_timed(wrong: str) -> None:
    field = [Contender("right", "BCE", F.binary_cross_entropy_with_logits), Contender("wrong", wrong, WRONG[wrong])]
    found = {o.library: o for o in measure.measure(cell("bce"), FAST, lambda _: field)}
    assert found["right"].status == OK
    assert found["right"].minimum_ms > 0
    assert found["wrong"].status == REFUSED
    assert found["wrong"].minimum_ms is None
    assert "off by" in found["wrong"].why


def test_a_contender_that_raises_is_left_out_with_its_message() -> None:
    def broken(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such mode")

    found = measure.measure(cell("bce"), FAST, lambda _: [Contender("broken", "BCE", broken)])
    assert [(o.status, o.why) for o in found if o.library == "broken"] == [(FAILED, "ValueError: no such mode")]


def test_a_contender_that_compiles_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile(call: object, *, dynamic: bool) -> contenders.Call:
        def endless(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            while True:
                with contextlib.suppress(Exception):  # as compilers do
                    time.sleep(1)

        return endless

    monkeypatch.setattr(torch, "compile", compile)
    field = [Contender("torch", "BCE", F.binary_cross_entropy_with_logits)]
    found = measure.measure(cell("bce", compiled=True), Settings(rounds=1, compile_limit=0.1), lambda _: field)
    eager, compiled = (next(o for o in found if o.library == "torch" and o.compiled == c) for c in (False, True))
    assert eager.status == OK
    assert (compiled.status, compiled.why) == (SKIPPED, "compiling took longer than 0.1 s")
    assert compiled.minimum_ms is None


def test_memory_is_what_was_saved_held_and_taken() -> None:
    x, t = workloads.data((4, 1, 512, 512))  # 4 MiB
    size = x.untyped_storage().nbytes()
    found = memory.measure(lambda x, t: (x.exp() * t).sum(), x, t)
    assert found.saved == size  # the exponential; the target is an input
    assert found.held == pytest.approx(size, rel=0.1)
    assert found.peak == pytest.approx(3 * size, rel=0.1)  # beside the product; then two gradients


def lines(ours: float, theirs: float, floor: float, shape: Shape = BINARY) -> list[store.Line]:
    asked = cell("bce", shape=shape)
    times = {"losskit": ours, "torch": theirs, "monai": 2 * theirs, "tutorial": theirs / 2, "floor": floor}
    return [store.Line(asked, Outcome(name, name, False, OK, minimum_ms=ms)) for name, ms in times.items()]


def test_the_table_says_what_is_met() -> None:
    row = next(line for line in report.markdown(lines(1.0, 3.1, 0.5), "here").splitlines() if "BCE with" in line)
    assert "3.1x, met (asked 3x)" in row
    assert "2.0x, met (at most 2.5x)" in row
    row = next(line for line in report.markdown(lines(1.0, 2.9, 0.3), "here").splitlines() if "BCE with" in line)
    assert "2.9x, **missed** (asked 3x)" in row
    assert "3.3x, **missed** (at most 2.5x)" in row


def test_coarse_numbers_are_told_and_refusals_give_their_reason() -> None:
    rough = Outcome("monai", "monai.DiceLoss()", False, OK, minimum_ms=1.0, value_error=1e-6, gradient_error=4e-2)
    fine = rough._replace(library="smp", gradient_error=1e-5)
    refused = Outcome("kornia", "kornia.DiceLoss()", True, SKIPPED, "compiling took longer than 60 s")
    text = report.markdown([store.Line(cell("dice", "batch"), o) for o in (rough, fine, refused)], "here")
    coarse, left_out = text.split("**Coarse**")[1].split("**Left out**")
    assert "| monai | 1e-06 | 4e-02 |" in coarse
    assert "smp" not in coarse
    assert "`kornia.DiceLoss()`, compiled | skipped | compiling took longer than 60 s |" in left_out


def test_every_demand_has_its_cells_and_none_is_measured_twice() -> None:
    cells = list(workloads.table(2))
    assert len(cells) == len(set(cells))
    for row in workloads.ROWS:
        wanted = {(loss, pool, shape) for loss in row.losses for shape in row.shapes for pool in pools(loss, shape)}
        measured = {(c.loss, c.pool, c.shape) for c in cells if c.suite == "table" and c.compiled}
        assert wanted <= measured


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    written = store.Store(path, resume=False)
    refused = Outcome("monai", "monai.DiceLoss(a, b)", True, REFUSED, 'off by 1e-2, "much"')
    timed = Outcome("losskit", "losskit.DiceLoss()", False, OK, minimum_ms=0.5, runs=3, saved_bytes=0)
    written.add(cell("dice", "sample", CITY), [timed, refused])
    assert [line.outcome for line in store.read(path)] == [timed, refused]
    again = store.Store(path, resume=True)
    assert cell("dice", "sample", CITY) in again
    assert cell("dice", "batch", CITY) not in again
    assert len(store.read(path)) == 2
    assert not store.Store(path, resume=False).lines


def test_results_of_another_commit_are_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "speed.csv"
    run = store.Store(path, resume=False)
    run.run["commit"] = "0000000"
    run.add(cell("bce"), [Outcome("losskit", "losskit.BCEWithLogitsLoss()", False, OK, minimum_ms=0.5)])
    with pytest.raises(SystemExit, match="another commit"):
        store.Store(path, resume=True)


def test_the_command_measures_keeps_resumes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    csv, picture = tmp_path / "speed.csv", tmp_path / "speed.svg"
    options = ["--csv", str(csv), "--chart", str(picture), "--threads", "1", "--no-compile", "--rounds", "1"]
    options += ["--only", "bce 2x1x64x64 float32"]
    main(options)
    first = capsys.readouterr()
    assert "[1/1] bce mean 2x1x64x64" in first.err
    assert "| bce mean 2x1x64x64" in first.out
    assert {line.outcome.library for line in store.read(csv)} >= {"losskit", "torch", "smp", "toolbelt", "floor"}
    kept = csv.read_text()
    main([*options, "--resume"])
    second = capsys.readouterr()
    assert "[1/1]" not in second.err
    assert csv.read_text() == kept
    assert second.out == first.out


def test_a_cell_that_crashes_is_one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "measure", lambda asked, settings: os._exit(7))
    (only,) = isolation.measured(cell("bce"), FAST)
    assert only.status == FAILED
    assert "ended with code 7" in only.why


def test_the_chart_shows_the_demanded_works(tmp_path: Path) -> None:
    assert chart.draw(lines(1.0, 3.0, 0.5), "here", tmp_path / "speed.svg")
    text = (tmp_path / "speed.svg").read_text()
    assert "BCE, 8x1x512x512" in text
    assert "losskit" in text
    assert not chart.draw(lines(1.0, 3.0, 0.5, ONE), "here", tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()
