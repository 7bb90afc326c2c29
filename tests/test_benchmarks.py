"""The benchmark compares equal functions, names libraries that differ, and saves its measurements."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import instructions
from bench import (
    catalogue,
    chart,
    contenders,
    demands,
    gate,
    isolation,
    kernels,
    measure,
    memory,
    report,
    store,
    timing,
    workloads,
)
from bench.__main__ import main
from bench.contenders import Contender
from bench.measure import FAILED, OK, REFUSED, SKIPPED, Outcome, Settings
from bench.workloads import (
    BINARY,
    BINARY_LOSSES,
    BINARY_SMALL,
    CITY,
    CLASS_LOSSES,
    DIFFERENCES,
    LABELS,
    TINY,
    TINY_LABELS,
    VARIANTS,
    Cell,
    Shape,
    pools,
)  # fmt: skip

from effort import one_in

ONE, SEVERAL, VOLUME, FLAT = (2, 1, 16, 16), (2, 5, 16, 16), (2, 4, 4, 4, 4), (8, 20)
FAST = Settings(rounds=1)


def cell(loss: str, pool: str = "", shape: Shape = ONE, **others: object) -> Cell:
    return Cell(
        **{"suite": "table", "dtype": "float32", "threads": 1, "compiled": False} | others,
        loss=loss,
        pool=pool,
        shape=shape,
    )


EVERY = [
    cell(loss, pool, shape)
    for shape, losses in (
        (ONE, (*BINARY_LOSSES, *DIFFERENCES)),
        (SEVERAL, CLASS_LOSSES),
        (VOLUME, CLASS_LOSSES),
        (FLAT, CLASS_LOSSES),
    )
    for loss in losses
    for pool in pools(loss, shape)
] + [cell(loss, shape=work.shapes[0], suite="catalogue") for loss, work in catalogue.WORKS.items()]
VARIED = [
    cell(loss, pools(loss, shape)[0], ONE if shape[1] == 1 else SEVERAL, variant=variant.name)
    for variant in VARIANTS
    for shape in variant.shapes
    for loss in variant.losses
]


@pytest.mark.parametrize("asked", EVERY, ids=str)
def test_every_contender_computes_the_same_function(asked: Cell) -> None:
    right = gate.Gate(asked)
    for contender in contenders.contenders(asked):
        right.function(contender.call)
        right.numbers(contender.call)


@pytest.mark.parametrize("asked", one_in(4, list(dict.fromkeys(VARIED))))
def test_a_variant_is_another_function_or_layout_and_is_timed_beside_the_plain_one(asked: Cell) -> None:
    plain, varied, *_ = measure.measure(asked, FAST)
    assert (plain.library, varied.library) == ("losskit", "variant")
    assert (plain.status, varied.status) == (OK, OK)
    assert varied.minimum_ms > 0
    x, t = workloads.data(asked)
    plain_x, plain_t = workloads.data(replace(asked, variant=""))
    changed = {"channels-last": not x.is_contiguous(), "soft": not torch.equal(t, plain_t)}
    assert changed.get(asked.variant, not workloads.mask(x.shape).all())
    assert torch.equal(x, plain_x)


def test_a_variant_is_held_against_its_own_formula() -> None:
    asked = cell("bce", variant="mask")
    with pytest.raises(gate.Refused, match="off by"):
        gate.Gate(asked).function(contenders.ours(cell("bce")).call)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("loss", "pool", "shape"),
    [("bce", "", ONE), ("mse", "", ONE), ("dice", "sample", ONE), ("dice+bce", "batch", (8, 1, 128, 128)),
     ("ce", "", SEVERAL), ("dice", "sample", (2, 5, 128, 128)), ("dice+ce", "sample", (2, 19, 128, 128))],
)  # fmt: skip
def test_the_kernels_alone_make_the_same_gradient(loss: str, pool: str, shape: Shape, dtype: str) -> None:
    asked = cell(loss, pool, shape, dtype=dtype)
    ours, (x, t) = contenders.ours(asked), workloads.data(asked)
    expected = torch.autograd.grad(ours.call(x, t), x)[0]
    alone = kernels.kernels(ours.call, x, t)
    for _ in range(2):
        assert torch.equal(alone.call(x, t), expected)


def test_ranks_have_no_plan() -> None:
    ours, (x, t) = contenders.ours(cell("lovasz", "sample")), workloads.data(cell("lovasz", "sample"))
    ours.call(x, t)
    assert kernels.kernels(ours.call, x, t) is None


def test_what_is_short_is_timed_by_many_calls_in_the_time_of_its_thread() -> None:
    calls = [0, 0]

    def sleeps() -> None:
        calls[0] += 1
        time.sleep(1e-4)

    def computes() -> None:
        calls[1] += 1
        sum(range(1000))

    asleep, busy = timing.interleaved([sleeps, computes], 3, by_cpu_time=True)
    assert min(calls) > 6 * 5  # 2 samples a round
    assert asleep.minimum < 1e-4
    assert busy.minimum > 1e-6
    assert cell("bce", shape=TINY, threads=2).by_cpu_time
    assert not cell("bce", shape=LABELS, threads=2).by_cpu_time
    assert not cell("bce", shape=BINARY).by_cpu_time


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
    x, t = workloads.data(cell("bce", shape=(4, 1, 512, 512)))  # 4 MiB
    size = x.untyped_storage().nbytes()
    found = memory.measure(lambda x, t: (x.exp() * t).sum(), x, t)
    assert found.saved == size  # the exponential; the target is an input
    assert found.held == pytest.approx(size, rel=0.1)
    assert found.peak == pytest.approx(3 * size, rel=0.1)  # beside the product; then two gradients


def lines(ours: float, theirs: float, floor: float, shape: Shape = BINARY) -> list[store.Line]:
    asked = cell("bce", shape=shape)
    times = {"losskit": ours, "torch": theirs, "monai": 2 * theirs, "tutorial": theirs / 2, "floor": floor}
    return [store.Line(asked, Outcome(name, name, False, OK, minimum_ms=ms)) for name, ms in times.items()]


def verdict(given: list[store.Line], words: str) -> str:
    """The line of the report about the one demand with these words."""
    (row,) = [line for line in report.markdown(given, "here").splitlines() if line.startswith("| ") and words in line]
    return row.split(" | ", 1)[1]


EAGER, FLOOR = "BCE with logits, binary: 3x as fast as eager", "BCE with logits, binary: at most 2.5x the floor"
AHEAD, KERNELS = "no eager peer ahead", "the kernels' own time"


def test_the_verdict_says_what_is_met() -> None:
    assert verdict(lines(1.0, 3.1, 0.5), EAGER) == "met: 3.10x, 1 cell | "
    assert verdict(lines(1.0, 3.1, 0.5), FLOOR) == "met: 2.00x, 1 cell | "
    missed = "**missed** in 1: bce mean 8x1x512x512 float32 "
    assert verdict(lines(1.0, 2.9, 0.3), EAGER) == f"{missed}2.90x of 3x; 2.90x, 1 cell | "
    assert verdict(lines(1.0, 2.9, 0.3), FLOOR) == f"{missed}3.33x of 2.5x; 3.33x, 1 cell | "


def test_no_eager_peer_may_be_ahead() -> None:
    assert verdict(lines(1.02, 1.0, 0.5, BINARY_SMALL), AHEAD).startswith("met: 1.02x, 1 of ")
    assert "bce mean 2x1x64x64 float32 1.05x of 1.03x" in verdict(lines(1.05, 1.0, 0.5, BINARY_SMALL), AHEAD)
    assert verdict(lines(1.3, 1.0, 0.5, TINY), AHEAD).startswith("met: 1.30x")
    assert "1.40x of 1.35x" in verdict(lines(1.4, 1.0, 0.5, TINY), AHEAD)
    dice = [store.Line(cell("dice", "batch", TINY), line.outcome) for line in lines(1.3, 1.0, 0.5)]
    assert "1.30x of 1.03x" in verdict(dice, AHEAD)


def test_the_worst_cell_is_named_first_and_threads_have_a_column_each() -> None:
    found = [
        store.Line(replace(line.cell, threads=threads, shape=shape), line.outcome)
        for threads, shape, ours in ((1, BINARY_SMALL, 1.1), (1, BINARY, 1.2), (2, BINARY, 0.9))
        for line in lines(ours, 1.0, 0.5)
    ]
    one, two, _ = verdict(found, AHEAD).split(" | ")
    assert one.startswith("**missed** in 2: bce mean 8x1x512x512 float32 1.20x of 1.03x; bce mean 2x1x64x64")
    assert two.startswith("met: 0.90x")


@pytest.mark.parametrize(
    ("threads", "ours", "met"), [(1, 1.29, True), (1, 1.31, False), (2, 1.69, True), (2, 1.71, False)]
)
def test_what_surrounds_the_kernels_is_limited(threads: int, ours: float, met: bool) -> None:
    asked = cell("bce", shape=BINARY, threads=threads)
    outcomes = [Outcome(name, name, False, OK, minimum_ms=ms) for name, ms in (("losskit", ours), ("kernels", 1.0))]
    given = [store.Line(asked, outcome) for outcome in outcomes]
    assert verdict(given, KERNELS).startswith("met" if met else "**missed**")
    assert f"| {ours:.2f}x |" in report.markdown(given, "here")


def test_ours_against_ours_has_rows() -> None:
    asked = cell("bce", shape=BINARY, suite="variants", variant="soft")
    given = [
        store.Line(asked, Outcome(n, n, False, OK, minimum_ms=ms)) for n, ms in (("losskit", 2.0), ("variant", 3.0))
    ]
    assert "| bce mean 8x1x512x512 float32 soft threads=1 | 2 | 3 | 1.50x |" in report.markdown(given, "here")
    assert verdict(given, "soft binary labels") == "1.50x, 1 of 5 cells | "


def test_coarse_numbers_are_told_and_refusals_give_their_reason() -> None:
    rough = Outcome("monai", "monai.DiceLoss()", False, OK, minimum_ms=1.0, value_error=1e-6, gradient_error=4e-2)
    fine = rough._replace(library="smp", gradient_error=1e-5)
    refused = Outcome("kornia", "kornia.DiceLoss()", True, SKIPPED, "compiling took longer than 60 s")
    text = report.markdown([store.Line(cell("dice", "batch"), o) for o in (rough, fine, refused)], "here")
    coarse, left_out = text.split("**Inaccurate**")[1].split("**Not timed**")
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
    timed = {(c.loss, c.shape) for c in cells if not c.variant}
    assert timed >= {(loss, TINY) for loss in ("bce", "dice", "dice+bce", "focal", "jaccard", *DIFFERENCES)}
    assert timed >= {("ce", TINY_LABELS), ("focal", TINY_LABELS), ("ce", LABELS)}
    assert timed >= {(loss, shape) for loss in DIFFERENCES for shape in (BINARY_SMALL, BINARY)}
    for demand in demands.demands():
        assert any(demand.limit(c) is not None for c in cells), demand.text


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
    options = ["--csv", str(csv), "--chart", str(picture), "--threads", "1,2", "--no-compile", "--rounds", "1"]
    options += ["--only", "bce 2x1x64x64 float32"]
    main(options)
    first = capsys.readouterr()
    assert "[1/2] bce mean 2x1x64x64 float32 threads=1" in first.err
    assert "[2/2] bce mean 2x1x64x64 float32 threads=2" in first.err
    assert "| bce mean 2x1x64x64" in first.out
    assert ", 1 and 2 threads, " in first.out
    assert {line.outcome.library for line in store.read(csv)} >= {"losskit", "torch", "smp", "toolbelt", "floor"}
    kept = csv.read_text()
    main([*options, "--resume"])
    second = capsys.readouterr()
    assert "/2]" not in second.err
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


def test_instructions_are_told_beside_those_of_torch() -> None:
    found = {"bce": 150, "bce, function": 180, "bce, torch": 100, "dice": 200}
    times = {name: instructions.times_torch(name, found) for name in found}
    assert times == {"bce": 1.5, "bce, function": 1.8, "bce, torch": None, "dice": None}


def test_every_step_has_instructions_kept() -> None:
    assert json.loads(instructions.STORED.read_text())["instructions"].keys() == instructions.steps().keys()
