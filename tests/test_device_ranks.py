"""Ranked errors on a device: the numbers of the definition, ties included, by four launches and one sort."""

import pytest
import torch

import device_ranks
import losskit
import triton_builds
from device_cases import labels
from losskit.ops.triton import ranks


@pytest.mark.parametrize("name", device_ranks.CASES)
def test_value_and_gradient_equal_the_definition(interpreter, name):
    value, gradient, served, same = interpreter(device_ranks.beside_the_definition, name)
    ((operator, note),) = served
    assert operator == "triton"
    assert "compared with plain PyTorch on cpu" in note
    assert value < 4e-7
    assert gradient < 2e-6
    assert same


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raises", "a launch of its kernels raised RuntimeError: out of resource: shared memory"),
        ("hangs", "compiling its kernels took longer than 0.5 s"),
        ("key", "numbers of its value and"),  # how many increments differ depends on rounding
        ("label", "numbers of its labels"),
        ("increment", "1 of "),
        ("sum", "numbers of its value differ from plain PyTorch's"),
        ("gradient", "1 of "),
    ],
)
def test_a_kernel_at_fault_gives_way_to_plain_pytorch(interpreter, fault, said, link):
    found, warned, explained = interpreter(device_ranks.served, fault, link)
    for value, gradient in found:
        assert value < 1e-6
        assert gradient < 1e-6
    (only,) = warned
    assert said in only
    assert "reference for LovaszLoss" in explained
    assert said in explained


def test_a_compilation_that_hangs_is_the_only_one_on_its_device(interpreter):
    assert interpreter(device_ranks.after_a_hang) == [(["sigmoid_errors"], ["reference"])] * 3


@pytest.mark.parametrize("name", ["binary", "softmax of a batch"])
def test_four_launches_and_one_sort_forward_and_one_launch_backward(interpreter, name):
    (forward, sorts), (backward, _) = interpreter(device_ranks.operators_of, name)
    link = "sigmoid" if name == "binary" else "softmax"
    assert forward == [f"{link}_errors", "count_labels", "increments", "reduce"]
    assert sorts == ["sort"]
    assert backward == [f"{link}_rank_gradient"]


@pytest.mark.parametrize(("name", "problem"), [("index", [1, 5]), ("label", [2, 2]), ("soft", [4, 0.25])])
def test_a_bad_label_is_reported_and_the_loss_is_nan(interpreter, name, problem):
    assert interpreter(device_ranks.bad_labels, name) == (problem, True)


def test_chunks_of_a_group_add_up(interpreter):
    assert interpreter(device_ranks.large_groups) < 1e-12


def test_batches_that_keys_cannot_number_are_refused():
    fits, bits, classes = device_ranks.refused()
    assert not fits
    assert "bits" in bits
    assert "8192 classes" in classes


@pytest.mark.parametrize("link", ["sigmoid", "softmax"])
@pytest.mark.parametrize("pooled", [False, True])
def test_the_kernels_compile_for_a_gpu(link, pooled):
    x, t = labels((2, 5, 40, 50), multilabel=link == "sigmoid")
    given = (x.bfloat16(), t, torch.ones(2, 1, 40, 50) > 0, link, 255)
    with triton_builds.recorded() as launches:
        totals, increments, _ = ranks.rank(*given, pooled=pooled, keep_increments=True)
        ranks.rank_gradient(torch.ones_like(totals), increments, *given, pooled=pooled)
    assert len(launches) == 5
    for launch in launches:
        assert triton_builds.compiled(launch, 90).asm["cubin"]


def test_without_a_device_the_c_kernels_serve():
    x, t = labels((2, 3, 9, 11))
    assert "native for LovaszLoss" in str(losskit.explain(losskit.LovaszLoss(), x, t))
    assert torch.equal(losskit.LovaszLoss(classes=[0, 2])(x, t), losskit.LovaszLoss(classes=(0, 2))(x, t))


def test_compiled_code_compares_nothing_and_uses_what_eager_code_compared(interpreter):
    before, after = interpreter(device_ranks.compiled)
    assert before[0] == 0
    assert after[0] == 2  # forward, and again for the gradient
    for _, value, gradient in (before, after):
        assert value < 1e-6
        assert gradient < 1e-7
