"""On a device with a faulty kernel, plain PyTorch is the fallback, with the same numbers and one warning."""

import math

import pytest
import torch

import first_use_cases
from losskit.ops import devices, first_use

FAULTS = {
    "compilation raises": "a launch of its kernels raised RuntimeError: out of resource: shared memory",
    "raises": "a launch of its kernels raised RuntimeError: out of resource: shared memory",
    "hangs": "compiling its kernels took longer than 0.5 s",
    "value": "numbers of its value differ from plain PyTorch's, on",
    "gradient": "1 of 324 numbers of its gradient differ from plain PyTorch's, on 324 elements of the input",
    "later launch raises": "a launch of its kernels raised RuntimeError: an invalid configuration argument",
}


@pytest.mark.parametrize("link", first_use_cases.LOSSES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_kernel_at_fault_gives_way_to_plain_pytorch_with_one_warning(interpreter, fault, link):
    off, said, explained = interpreter(first_use_cases.served, fault, link)
    for value, gradient in off:
        assert value < 1e-6
        assert gradient < 1e-7
    (only,) = said
    assert FAULTS[fault] in only
    assert "losskit doctor" in only
    assert "LOSSKIT_BACKEND" in only
    assert "cpu" in only
    assert "reference for" in explained
    assert FAULTS[fault] in explained


LAST = {
    "finish raises": "a launch of its kernels raised RuntimeError: out of resource: shared memory",
    "finish hangs": "compiling its kernels took longer than 0.5 s",
    "finish value": "its value, from the same sums, differs from plain PyTorch's",
    "finish derivative": "its derivative, from the same sums, differs from plain PyTorch's",
}


@pytest.mark.parametrize("link", first_use_cases.LOSSES)
@pytest.mark.parametrize("fault", LAST)
def test_a_fault_of_the_last_kernel_leaves_the_finish_to_plain_pytorch(interpreter, fault, link):
    off, said, explained = interpreter(first_use_cases.served, fault, link)
    for value, gradient in off:
        assert value < 1e-6
        assert gradient < 1e-7
    (only,) = said
    assert LAST[fault] in only
    assert f"not in the pass: its formula on the sums, {LAST[fault]}" in explained
    assert "triton for" in explained


@pytest.mark.parametrize("link", first_use_cases.LOSSES)
def test_a_kernel_without_fault_serves_and_says_what_was_compared(interpreter, link):
    off, said, explained = interpreter(first_use_cases.served, "", link)
    assert not said
    assert max(max(each) for each in off) < 1e-6
    assert "triton for" in explained
    assert "compared with plain PyTorch on cpu: 324 elements, once, in " in explained


def test_each_form_is_compared_once(interpreter):
    calls = [(3, "float32"), (3, "float32"), (2, "float32"), (2, "bfloat16"), (3, "bfloat16"), (3, "float32")]
    assert interpreter(first_use_cases.comparisons, calls) == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("fault", ["raises", "later launch raises"])
def test_a_forced_backend_is_not_compared_and_its_error_is_raised(interpreter, fault):
    with pytest.raises(RuntimeError, match=r"resource|invalid configuration"):
        interpreter(first_use_cases.served, fault, "softmax", "triton")


def test_a_forced_backend_that_lies_is_not_compared(interpreter):
    value, gradient = interpreter(first_use_cases.served, "gradient", "softmax", "triton")
    _, exact = first_use_cases.step(first_use_cases.LOSSES["softmax"](), *first_use_cases.tensors("softmax"))
    assert math.isfinite(value)
    assert (gradient - exact).abs().max() > 5e-4


@pytest.mark.parametrize("before", [False, True], ids=["first", "after an eager call"])
def test_nothing_is_compared_under_compilation_and_transforms(interpreter, before):
    off, launches, mapped = interpreter(first_use_cases.compiled, before)
    assert max(off) < 1e-6
    assert mapped < 1e-6
    assert bool(launches) == before


def test_nothing_is_compared_while_a_graph_is_captured(interpreter):
    assert interpreter(first_use_cases.captured, False) == ("reference", first_use.NOT_COMPARED)
    assert interpreter(first_use_cases.captured, True) == ("triton", "")


def test_an_input_with_nothing_to_compare_decides_nothing(interpreter):
    nothing, something = interpreter(first_use_cases.inconclusive)
    assert nothing == ("reference", first_use.NOTHING_TO_COMPARE)
    assert something == ("triton", "")


@pytest.mark.parametrize("compiles", [True, False])
def test_plain_pytorch_is_compiled_where_that_works(interpreter, compiles):
    off, asked, works = interpreter(first_use_cases.with_instead, compiles)
    assert max(off) < 1e-6
    assert (asked, works) == (1, compiles)


def test_a_shortage_of_memory_blames_no_kernel(interpreter):
    assert interpreter(first_use_cases.shortage) == "triton"


def test_a_kernel_that_fails_in_one_process_is_replaced_in_all(interpreter, tmp_path):
    """The first call may still differ, with the same numbers: nothing waits for another process."""
    (first, second), (value, gradient) = interpreter(first_use_cases.ranks, str(tmp_path / "store"), "raises", True)
    assert first[1][1] == second[1][1] == ("reference", "")
    assert first[2] == pytest.approx(value, abs=1e-6)
    assert second[2] == pytest.approx(first[2], abs=1e-7)
    found = torch.cat([torch.tensor(each[3]) for each in (first, second)])
    assert (found - gradient).abs().max() < 1e-7


@pytest.mark.parametrize("fault", ["raises", "finish value"])
def test_a_plan_ends_when_its_kernels_fail_in_another_process(interpreter, tmp_path, fault):
    (first, second), _ = interpreter(first_use_cases.ranks, str(tmp_path / "store"), fault, False)
    operator, plain = first[1][1]
    assert operator == ("reference" if fault == "raises" else "triton")
    assert (operator, bool(plain)) == (second[1][1][0], fault != "raises")


@pytest.mark.parametrize(
    ("device", "hip", "name"),
    [
        ("cuda:0", None, "cuda:0 (Some GPU, CUDA)"),
        ("cuda:1", "6", "cuda:1 (Some GPU, ROCm)"),
        ("xpu:0", None, "xpu:0"),
    ],
)
def test_devices_are_named_as_their_makers_do(monkeypatch, device, hip, name):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    monkeypatch.setattr(torch.version, "hip", hip)
    assert first_use.name_of(torch.device(device)) == name


def test_the_c_kernels_agree_with_plain_pytorch_in_every_form():
    found = list(devices.check("native", torch.device("cpu")))
    assert len(found) > 40
    assert [str(each) for each in found if each.problem] == []


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("", "triton: 3 of 3 forms agree with plain PyTorch, in "),
        ("gradient", "1 of 4800 numbers of its gradient differ from plain PyTorch's, on 4800 elements of the input"),
        (
            "hangs",
            "one class, float32, hard labels, region and log: compiling its kernels took longer than 0.5",
        ),
    ],
)
def test_the_doctor_checks_every_device_and_prints_a_report(interpreter, fault, line):
    printed, code = interpreter(first_use_cases.doctored, fault)
    assert line in printed
    assert code == bool(fault)
    assert f"torch {torch.__version__}" in printed
    assert "native: 3 of 3 forms agree with plain PyTorch" in printed
    assert "6 of 6 whole losses agree with their value and gradient in float64" in printed
    assert (first_use.REPORT in printed) == bool(fault)
