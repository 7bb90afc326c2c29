"""The benchmark of GPUs, without one: its workloads, launches, arithmetic, checks and results."""

import csv
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import gpu_device
import gpu_work
from bench.workloads import table

import gpu_benchmark_cases
from gpu_benchmark_cases import SMALL, cell_of

CELLS = list(gpu_work.cells())


def test_every_workload_of_the_benchmark_of_cpus_and_the_demanded_ones_are_measured():
    measured = {(cell.loss, cell.shape, cell.dtype) for cell in CELLS}
    assert len(CELLS) == len(set(CELLS))
    assert measured >= {(c.loss, c.shape, c.dtype) for c in table(1) if c.suite in ("table", "more")}
    for loss, shape in (
        ("dice+bce", (32, 1, 1024, 1024)), ("dice+ce", (8, 19, 1024, 1024)), ("dice+ce", (2, 4, 128, 128, 128)),
        ("ce", (4096, 32768)), ("mse", (32, 1, 1024, 1024)), ("huber", (32, 1, 1024, 1024)),
        ("lovasz", (32, 1, 1024, 1024)), ("lovasz", (8, 19, 512, 512)),
    ):  # fmt: skip
        assert (loss, shape, "float32") in measured


@pytest.mark.parametrize("loss", sorted({cell.loss for cell in CELLS} - {"lovasz"}))
def test_plans_launch_what_the_benchmark_asserts(loss):
    for cell in CELLS:
        if cell.loss == loss:
            assert not gpu_work.misfit(cell, *gpu_benchmark_cases.launches_of(cell)), cell


SORT = ["at::native::arange", "cub::DeviceRadixSortHistogramKernel", "cub::DeviceRadixSortOnesweepKernel"]
AFTER = ["count_labels", "increments", "reduce", "void at::native::reduce_kernel<512, 1>"]


def test_launches_of_a_plan_are_two_and_one():
    plain = cell_of("dice+bce", (2, 1, 8, 8), pool="sample")
    assert gpu_work.expected(plain) == (["sigmoid", "finish"], ["sigmoid"])
    assert not gpu_work.misfit(plain, ["sigmoid", "finish"], ["sigmoid"])
    fill = gpu_work.misfit(plain, ["sigmoid", "finish"], ["fill", "sigmoid"])
    assert fill == "backward: 2 launches (fill, sigmoid) instead of 1 launches (sigmoid)"
    assert "forward: 3 launches" in gpu_work.misfit(plain, ["sigmoid", "reduce", "finish"], ["sigmoid"])
    assert gpu_work.expected(cell_of("mse", (64, 64))) == (["difference", "finish"], ["difference"])


@pytest.mark.parametrize(
    ("forward", "backward", "fits"),
    [
        (["softmax_errors", *SORT, *AFTER], ["mul", "softmax_rank_gradient"], True),
        (["softmax_errors", *AFTER], ["softmax_rank_gradient"], False),
        (["softmax_errors", *SORT, "count_labels", *SORT, "increments", "reduce"], ["softmax_rank_gradient"], False),
        (["softmax_errors", *SORT, *AFTER, "increments"], ["softmax_rank_gradient"], False),
        (["softmax_errors", *SORT, *AFTER], ["softmax_errors", *SORT, "softmax_rank_gradient"], False),
        (["softmax_errors", *SORT, *AFTER], [], False),
    ],
)
def test_launches_of_ranked_errors_are_four_with_one_sort_and_one(forward, backward, fits):
    assert bool(gpu_work.misfit(SMALL["lovasz"], forward, backward)) == (not fits)


def test_copies_are_no_launches():
    names = ["Memcpy DtoH (Device -> Pinned)", "sigmoid", "Memset (Device)", "finish"]
    assert gpu_device.computing(names) == ["sigmoid", "finish"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (cell_of("mse", (2, 3, 10)), 3 * 60 * 4),
        (cell_of("huber", (2, 3, 10), "bfloat16"), 60 * (2 + 4 + 2)),
        (cell_of("ce", (5, 4, 7)), 2 * 140 * 4 + 35 * 8),
        (cell_of("lovasz", (5, 4, 7), "bfloat16", "sample"), 3 * 140 * 2 + 2 * 35 * 8),
        (cell_of("dice+bce", (5, 1, 7), pool="sample"), 5 * 35 * 4),
    ],
)
def test_the_floor_is_the_bytes_that_must_be_moved(cell, expected):
    assert gpu_work.moved(cell) == expected


def test_a_row_divides_the_shortest_time_by_the_floor():
    row = gpu_work.row(cell_of("mse", (1000, 1000)), "losskit", [0.05, 0.03, 0.04, 0.09], 6e8)
    assert (row["median_ms"], row["minimum_ms"], row["floor_ms"], row["over_floor"]) == (0.045, 0.03, 0.02, 1.5)


def rows(loss, shape, *times):
    """Rows of losskit and of peers, with a floor of 1 ms."""
    cell = cell_of(loss, shape)
    names = ["losskit", *(f"peer {k}" for k in range(1, len(times)))]
    return [gpu_work.row(cell, n, [t], gpu_work.moved(cell)) for n, t in zip(names, times, strict=True)]


def test_goals_are_the_floor_of_large_tensors_and_no_peer_ahead():
    large, small = (4096, 4096), (64, 64)
    assert not gpu_work.goals(rows("mse", large, 1.15, 1.2, 9.0))
    assert gpu_work.goals(rows("mse", large, 1.16, 1.2)) == ["1.16 times the floor, more than 1.15"]
    assert not gpu_work.goals(rows("mse", small, 9.0, 9.0))
    assert gpu_work.goals(rows("mse", small, 9.0, 9.1, 8.9)) == ["peer 2 is ahead"]
    assert not gpu_work.goals(rows("lovasz", (1, 1, 4096, 4096), 9.0, 9.1))


@pytest.mark.parametrize("cell", SMALL.values(), ids=str)
def test_plain_pytorch_is_the_formula_in_float32(cell):
    from bench import contenders, gate, workloads

    x, t = workloads.data(cell)
    plain, ours = gpu_work.plain(cell), contenders.ours(cell).call
    assert plain(x, t).dtype == torch.float32
    found = gate.errors(gate.result(ours, x, t), gate.result(plain, x, t))
    assert found.value < (1e-6 if cell.dtype == "float32" else 4e-3)
    assert found.gradient < (1e-5 if cell.dtype == "float32" else 4e-3)


def test_a_run_checks_measures_and_keeps_every_kind_of_workload(interpreter, tmp_path):
    out = tmp_path / "gpu.csv"
    assert interpreter(gpu_benchmark_cases.ran, list(SMALL), str(out)) == []
    with out.open() as file:
        kept = list(csv.DictReader(file))
    contenders = ["losskit", "PyTorch", "PyTorch, compiled", "right", "right, compiled"]
    assert [row["contender"] for row in kept] == contenders * len(SMALL)
    for row in kept:
        assert float(row["minimum_ms"]) > 0
        assert row["device"] == "an interpreter"
        assert row["torch"] == torch.__version__
        assert (row["saved_bytes"], row["peak_extra_bytes"], row["copy_GB_per_s"]) == ("2", "3", "1")
    launches = [row["kernels"] for row in kept if row["contender"] == "losskit"]
    assert launches == ["3", "3", "3", "3", "3", "7"]  # of ranked errors with two kernels of a sort


@pytest.mark.parametrize("name", ["huber", "dice+ce"])
@pytest.mark.parametrize(
    ("fault", "said"), [("value", "not close"), ("gradient", "not close"), ("launch", "3 launches")]
)
def test_a_workload_that_fails_a_check_is_not_timed(interpreter, tmp_path, name, fault, said):
    out = tmp_path / "gpu.csv"
    (failed,) = interpreter(gpu_benchmark_cases.ran, [name], str(out), fault)
    assert failed.startswith(f"{SMALL[name].work}: ")
    assert said in failed
    assert not out.read_text()
