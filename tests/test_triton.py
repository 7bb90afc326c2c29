"""The Triton operators equal the definition: in Triton's interpreter everywhere, and on a GPU where there is one."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import device_cases
import triton_builds
import triton_cases
from losskit.ops import triton
from losskit.ops.columns import kernel_columns
from triton_cases import DTYPES, Case

ROUNDING = 2.0**-24
DEVICES = ["interpreter", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def on(request, interpreter):
    """Calls one of the functions of triton_cases on the device."""
    if request.param == "interpreter":
        return interpreter
    return lambda function, *arguments: function("cuda", *arguments)


def label(case):
    """What a case changes."""
    changed = [f"{k}={v}" for k, v in case._asdict().items() if v != Case._field_defaults.get(k)]
    return " ".join(changed).replace("link=", "")


LINKS = ("sigmoid", "softmax")
CASES = [
    *(Case(link, columns="all") for link in LINKS),
    *(Case(link, (1, 3, 20), columns="formulas") for link in LINKS),
    *(Case(link, (1, 3, 20), columns="all", soft=True) for link in LINKS),
    *(Case(link, dtype=name) for link in LINKS for name in ("float16", "bfloat16")),
    *(Case("sigmoid", (1, 1, 40), target_dtype=name) for name in DTYPES if name != "uint8"),
    *(Case("softmax", (1, 3, 40), target_dtype=name, columns="log") for name in DTYPES if "int" in name),
    *(Case(link, (1, 3, 40), soft=True, target_dtype=name) for link in LINKS for name in ("float16", "float64")),
    *(Case(link, layout=layout) for link in LINKS for layout in ("channels_last", "transposed", "sliced", "expanded")),
    *(Case(link, weight="positions", mask=True, columns="region") for link in LINKS),
    *(Case(link, weight="samples", shift=True) for link in LINKS),
    Case("sigmoid", one_of=True, mask=True, ignore="0", columns="all"),
    Case("sigmoid", target_dtype="uint8", ignore="255"),
    Case("sigmoid", soft=True, ignore="-100", columns="focal 2"),
    Case("softmax", ignore="-100", mask=True),
    Case("softmax", target_dtype="uint8", ignore="255"),
    Case("softmax", ignore="0"),
    Case("softmax", soft=True, ignore="-100"),
    *(Case(link, (37, 5), pooled=True) for link in LINKS),
    *(Case(link, (3, 5)) for link in LINKS),
    Case("softmax", (2, 21, 3, 4, 5), pooled=True),
    Case("softmax", (1, 150, 33)),
    Case("sigmoid", (1, 1, 4500)),
    Case("softmax", (5, 1000), pooled=True),
    Case("softmax", (1, 5, 40), largest_tile=64, columns="all"),
    Case("softmax", (2, 70, 35), largest_tile=64, weight="positions", mask=True, ignore="-100"),
    Case("softmax", (1, 70, 3), largest_tile=16, soft=True, ignore="-100", columns="region"),
    Case("softmax", largest_tile=2, layout="channels_last", shift=True),
    Case("softmax", (4, 40), largest_tile=16, pooled=True, dtype="bfloat16"),
]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_sums_and_gradient_equal_the_definition(on, case):
    totals, gradient, problem = on(triton_cases.errors, case)
    stored = 0 if case.dtype == "float32" else torch.finfo(DTYPES[case.dtype]).eps  # the interpreter cuts off
    assert totals < 16 * ROUNDING
    assert gradient < 32 * ROUNDING + stored
    assert problem == [0, 0]


@pytest.mark.parametrize(
    "case",
    [*(Case(link, (2, 3, 40)) for link in LINKS), Case("softmax", (1, 5, 40), largest_tile=64)],
    ids=label,
)
def test_sums_and_gradient_are_the_same_bits_alone_and_together(on, case):
    assert on(triton_cases.alone_and_together, case)


@pytest.mark.parametrize("scale", [20, 80, 1e4])
@pytest.mark.parametrize("columns", ["formulas", "focal", "squares"])
@pytest.mark.parametrize("link", LINKS)
def test_a_saturated_answer_keeps_its_value_and_gradient(on, link, columns, scale):
    gradient, totals, rest = on(triton_cases.saturated, link, columns, scale)
    assert gradient < 2e-5
    assert totals < 1e-5
    assert rest < 1e-29


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "case",
    [
        *(Case(link, (2, 3, 20), mask=True, weight="positions") for link in LINKS),
        *(Case(link, (2, 3, 20), mask=True, soft=True) for link in LINKS),
        *(Case(link, (2, 3, 20), ignore="-100", target_dtype="int32") for link in LINKS),
        Case("softmax", (2, 3, 20), mask=True, largest_tile=32),
    ],
    ids=label,
)
def test_what_does_not_count_is_selected_away(on, case, value):
    sums, gradient, problem, any_ = on(triton_cases.left_out, case, value)
    assert any_
    assert sums
    assert gradient
    assert problem == [0, 0]


@pytest.mark.parametrize(
    "case", [*(Case(link, (1, 3, 20)) for link in LINKS), Case("softmax", (1, 3, 20), largest_tile=16)], ids=label
)
def test_a_logit_that_is_no_number_and_one_of_minus_infinity(on, case):
    ours, _, gradient, _ = on(triton_cases.with_logit, case, float("nan"))
    assert ours.isnan().any()
    assert gradient[0, :, 0].isnan().any()
    assert not gradient[0, :, 1:].isnan().any()
    ours, totals, gradient, expected = on(triton_cases.with_logit, case, -float("inf"))
    torch.testing.assert_close(ours, totals, rtol=1e-5, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5, equal_nan=True)


INDICES, YES, SOFT = Case("softmax", (2, 3, 40)), Case("sigmoid", (2, 3, 40)), Case("softmax", (2, 3, 40), soft=True)


@pytest.mark.parametrize(
    ("case", "place", "value", "problem"),
    [
        (INDICES, (1, 30), 3, [1, 3]),
        (INDICES, (0, 0), -1, [1, -1]),
        (INDICES, (0, 0), 2**33, [1, 2**33]),
        (INDICES._replace(target_dtype="uint8"), (1, 39), 255, [1, 255]),
        (INDICES._replace(largest_tile=64), (1, 39), 7, [1, 7]),
        (YES._replace(one_of=True), (1, 39), 3, [1, 3]),
        (YES, (1, 2, 39), 255, [2, 255]),
        (YES._replace(soft=True), (0, 1, 5), -0.25, [2, -0.25]),
        (YES._replace(soft=True), (0, 1, 5), 1.25, [2, 1.25]),
        (SOFT, (1, 2, 30), 1.5, [2, 1.5]),
        (SOFT._replace(largest_tile=64), (1, 2, 30), -3.0, [2, -3]),
    ],
    ids=lambda value: label(value) if isinstance(value, Case) else None,
)
def test_a_value_that_no_label_has_is_found_where_it_counts(on, case, place, value, problem):
    totals, found, gradient = on(triton_cases.with_label, case, place, value)
    assert found == problem
    assert totals.isnan().all()
    assert gradient.isfinite().all()
    if case.one_of or not (case.soft or case.link == "sigmoid"):
        assert not gradient.any(), "a class that there is not was looked up"
    totals, found, _ = on(triton_cases.with_label, case._replace(mask=True), place, value)
    assert found == [0, 0]
    assert totals.isfinite().all()


@pytest.mark.parametrize("largest_tile", [0, 64])
def test_soft_labels_that_do_not_sum_to_one_are_found(on, largest_tile):
    totals, (kind, total), _ = on(
        triton_cases.with_label, SOFT._replace(largest_tile=largest_tile), (1, slice(None), 3), 0.25
    )
    assert kind == 3
    assert total == pytest.approx(0.75)
    assert totals.isnan().all()


def test_elements_more_than_two_to_the_31_apart(on):
    assert max(on(triton_cases.far_apart)) < 1e-5


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("strides", [(2**31 + 64, 4, 1), (1, 2**30 + 32, 2), (12, 1, 2**30)], ids=["n", "c", "s"])
def test_samples_classes_and_positions_more_than_two_to_the_31_apart(on, link, strides):
    """Sums and gradient, whose memory is as far apart as that of the input."""
    totals, gradient = on(triton_cases.spread_out, link, strides)
    assert totals < 1e-5
    assert gradient < 3e-3  # of float16


@pytest.mark.parametrize("name", triton_cases.LOSSES)
def test_losses_and_two_derivatives_equal_those_in_float64(on, name):
    ours, expected, operators = on(triton_cases.derivatives, name)
    assert operators == ["triton"]
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", triton_cases.LOSSES)
def test_vmap_equals_one_by_one(on, name):
    assert max(on(triton_cases.mapped, name)) < 1e-6


def test_a_bad_label_is_told_at_once_or_later_and_the_loss_is_no_number(on):
    said, nothing = on(triton_cases.complaints, "focal")
    assert nothing
    assert len(said) == 1
    assert "class index 9, but input has 4 classes" in said[0]
    assert "This error is from an earlier call, whose loss was NaN" in said[0]


@pytest.mark.parametrize("name", triton_cases.LOSSES)
def test_neither_pass_reads_a_number_back(on, name):
    """What would stall the queue of a GPU: reading a number, or a copy to the host that waits."""
    waiting, launches = on(device_cases.waiting_operators, name)
    assert not waiting
    assert launches == ["softmax_tile", "reduce", "softmax_tile"]


def launched(case, *, totals, gradient):
    """The launches that a case asks for; none runs."""
    g = triton_cases.given(case)
    coefficients = torch.ones(case.shape[0], case.shape[1], len(g.columns)) if gradient else None
    with triton_builds.recorded() as launches:
        triton.run(
            *g[:5],
            case.link,
            None,
            *kernel_columns(g.columns),
            pooled=case.pooled,
            totals=totals,
            coefficients=coefficients,
        )
    return launches


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (Case("sigmoid", (8, 1, 64, 64)), ["sigmoid"]),
        (Case("softmax", (4, 19, 32, 32)), ["softmax_tile"]),
        (Case("softmax", (2, 300, 64)), ["softmax_positions", "softmax_classes"]),
    ],
    ids=["sigmoid", "few classes", "many classes"],
)
def test_one_launch_reads_the_input_and_one_adds_the_sums(case, names):
    of = [
        [kernel.__name__ for kernel, _, _ in launched(case, totals=t, gradient=g)] for t, g in ((1, 0), (0, 1), (1, 1))
    ]
    assert of == [[*names, "reduce"], names, [*names, "reduce"]]


@pytest.mark.parametrize(
    "case",
    [
        Case("sigmoid", (8, 1, 64, 64)),
        Case("softmax", (4, 19, 32, 32), dtype="bfloat16", weight="positions"),
        Case("softmax", (2, 300, 64)),
    ],
    ids=label,
)
def test_kernels_compile_for_a_gpu(case):
    """The interpreter takes more than the compiler does."""
    for launch in launched(case, totals=True, gradient=True):
        for capability in (80, 90):
            assert triton_builds.compiled(launch, capability).asm["cubin"]


def test_where_it_does_not_serve_it_says_why(monkeypatch):
    here, elsewhere = torch.zeros(1), torch.zeros(1, device="meta")
    for name, reason in (("cuda", ""), ("xpu", "the input is on xpu")):  # ROCm is called cuda
        assert triton.unavailable(SimpleNamespace(device=SimpleNamespace(type=name))) == reason
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert triton.unavailable(here) == "the input is on cpu"
    assert triton.unavailable(elsewhere) == "the input is on meta"
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert triton.unavailable(here) == ""
    assert triton.unavailable(elsewhere) == "the input is on meta"

    def version(found):
        def look(name):
            if found is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return found

        return look

    for found, reason in (("2.1.0", "Triton is 2.1.0, older than 3.4"), (None, "Triton is not installed")):
        triton.missing.cache_clear()
        monkeypatch.setattr(importlib.metadata, "version", version(found))
        assert triton.unavailable(here) == reason
    triton.missing.cache_clear()


def test_the_benchmark_refuses_where_there_is_no_gpu():
    script = Path(__file__).parent.parent / "benchmarks" / "gpu.py"
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=hidden, check=False)
    assert run.returncode == 2
    assert "needs a GPU" in run.stderr
    assert not run.stdout


def test_a_script_compiles_every_form_for_architectures_that_are_not_here():
    script = Path(__file__).parent.parent / "benchmarks" / "compile_gpu.py"
    command = [sys.executable, script, "--forms", "1", "--targets", "sm_120,gfx942"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    for line, name in zip(run.stdout.splitlines(), ("sm_120", "gfx942"), strict=True):
        assert line.startswith(name)
        assert "4 of 4 kernels compile" in line
