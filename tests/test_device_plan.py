"""A whole loss on a device: the numbers of the definition in two launches forward, one backward, and no others."""

import math
import re
import sys
from pathlib import Path

import pytest
import torch
import triton
from torch.profiler import ProfilerActivity, profile

import device_cases
import device_formulas
import losskit
import triton_builds
from device_cases import CATALOGUE, VARIANTS, labels
from launch_cases import silent, stubbed
from losskit.ops import late, values
from losskit.ops.triton import prepared
from losskit.ops.triton.source import VALUES

PLANNED = [("DevicePlan", "")]
NO_PLAN = {  # computed by the operators or by plain PyTorch
    "generalized_dice_loss": "its classes are coupled",
    "nll_loss": "its input holds log-probabilities",
    "generalized_dice_focal_loss": "its classes are coupled",
    "generalized_wasserstein_dice_loss": "its sums are its own",
    "noise_robust_dice_loss": "its sums are its own",
    "sensitivity_specificity_loss": "its sums are its own",
    "equalization_loss": "its weights follow the batches before",
    "unified_focal_loss": "a class has a term and a power of its own",
}


@pytest.mark.parametrize("number", range(len(CATALOGUE)), ids=lambda k: CATALOGUE[k].entry.name)
def test_losses_of_the_catalogue_equal_the_definition(interpreter, number):
    value, gradient, served = interpreter(device_cases.of_catalogue, number)
    assert value < 4e-7
    assert gradient < 2e-6
    assert (served == PLANNED) == (CATALOGUE[number].entry.name not in NO_PLAN)


@pytest.mark.parametrize("name", VARIANTS)
def test_options_reductions_and_layouts_equal_the_definition(interpreter, name):
    value, gradient, served = interpreter(device_cases.of_variant, name)
    assert value < 4e-7
    assert gradient < 2e-6
    assert served == PLANNED


@pytest.mark.parametrize("name", device_formulas.FORMULAS)
def test_terms_of_a_losss_own_equal_the_definition(interpreter, name):
    value, gradient, served = interpreter(device_formulas.of_terms, name)
    assert value < 4e-7
    assert gradient < 2e-6
    assert served == PLANNED


@pytest.mark.parametrize("name", device_formulas.DIFFERENCES)
def test_losses_of_differences_equal_the_definition(interpreter, name):
    value, gradient, served = interpreter(device_formulas.of_difference, name)
    assert value < 4e-7
    assert gradient < 2e-6
    assert served == PLANNED


def test_explain_says_how_many_operations_the_terms_are(interpreter):
    assert "tape of 2 operations, in the pass" in interpreter(device_formulas.explained, "a term of none")
    said = interpreter(device_formulas.explained, "several terms")
    assert "triton for DiceLoss" in said
    assert len(re.findall(r"tape of \d+ operations, in the pass", said)) == 3


def test_another_number_in_a_term_compiles_nothing_anew(interpreter):
    errors, compiled = interpreter(device_formulas.with_another_number)
    assert max(errors) < 4e-7
    assert compiled == 0


@pytest.mark.parametrize("kind", ["value", "slope", "difference"])
def test_a_wrong_operation_is_caught_at_the_first_use(interpreter, kind):
    served, error = interpreter(device_formulas.with_a_wrong_operation, kind)
    assert served != PLANNED
    assert error < 2e-6


def test_parts_of_a_sum_have_their_values(interpreter):
    served, errors, gradient = interpreter(device_cases.parts_of)
    assert served == PLANNED
    assert max(errors) < 4e-7
    assert gradient < 1e-7


def test_a_second_derivative_is_that_of_the_definition(interpreter):
    assert interpreter(device_cases.second_derivative) < 2e-6


def test_a_schedule_compiles_nothing_anew(interpreter):
    errors, compiled = interpreter(device_cases.scheduled)
    assert max(errors) < 4e-7
    assert compiled <= 2  # of the sum and of the other loss


def test_a_bad_label_and_a_bad_weight_are_reported_by_a_later_call(interpreter):
    (label, weight), fine = interpreter(device_cases.bad_labels)
    assert label[0]
    assert weight[0]
    assert "target holds the class index 7, but input has 3 classes" in label[1]
    assert "weight holds a number below 0" in weight[1]
    for _, message in (label, weight):
        assert "This error is from an earlier call, whose loss was NaN" in message
    assert fine


def test_a_bad_label_is_reported_within_eight_calls(interpreter):
    calls, value, said = interpreter(device_cases.calls_until_an_error)
    assert calls <= late.TOGETHER
    assert math.isnan(value)
    assert "target holds the class index 5, but input has 3 classes" in said


def test_each_operation_of_a_formula_and_its_derivative_are_pytorchs(interpreter):
    """At ties, zeros, infinities and NaN; in float32 like terms, with the error of an exponent of some tens."""
    assert not interpreter(device_cases.operations_beside_pytorch, list(VALUES))
    assert not interpreter(device_cases.operations_beside_pytorch, list(VALUES), "float32")


LAUNCHES = {
    "sigmoid": (losskit.DiceBCELoss, lambda: labels((2, 1, 64, 64), multilabel=True), ["sigmoid"], ["sigmoid"]),
    "softmax": (losskit.DiceCELoss, lambda: labels((2, 5, 32, 32)), ["softmax_tile"], ["softmax_tile"]),
    "three parts": (
        lambda: losskit.DiceLoss() + 0.5 * losskit.CrossEntropyLoss(class_weight=[1.0] * 5) + losskit.FocalLoss(),
        lambda: labels((2, 5, 32, 32)), ["softmax_tile"], ["softmax_tile"],
    ),
    "many classes": (
        losskit.CrossEntropyLoss, lambda: labels((2, 300, 64)),
        ["softmax_positions", "softmax_classes"], ["softmax_positions", "softmax_classes"],
    ),
    "own terms": (lambda: device_formulas.own(device_formulas.odd), lambda: labels((2, 5, 32, 32)), ["softmax_tile"],
                  ["softmax_tile"]),
    "own terms of yes and no": (
        lambda: device_formulas.Sides(), lambda: labels((2, 1, 64, 64), multilabel=True), ["sigmoid"],
        ["sigmoid"],
    ),
    "own terms of many classes": (
        lambda: device_formulas.own(device_formulas.odd), lambda: labels((2, 300, 64)),
        ["softmax_positions", "softmax_classes"], ["softmax_positions", "softmax_classes"],
    ),
    "differences": (losskit.HuberLoss, lambda: device_formulas.numbers((64, 640)), ["difference"], ["difference"]),
    "own formula of differences": (
        lambda: device_formulas.regression(device_formulas.of_two), lambda: device_formulas.numbers((2, 3, 64, 64)),
        ["difference"], ["difference"],
    ),
    "larger programs": (losskit.DiceCELoss, lambda: labels((4, 19, 256, 256)), ["softmax_tile"], ["softmax_tile"]),
    "larger programs of rows": (
        losskit.CrossEntropyLoss, lambda: labels((256, 1000)), ["softmax_tile"], ["softmax_tile"],
    ),
    "larger programs of 150 classes": (
        losskit.JaccardLoss, lambda: labels((2, 150, 160, 160)), ["softmax_tile"], ["softmax_tile"],
    ),
    "many sums": (losskit.CrossEntropyLoss, lambda: labels((4096, 4096)), ["softmax_tile", "reduce"], ["softmax_tile"]),
}  # fmt: skip

ALLOCATING = {f"aten::{name}" for name in ("empty", "new_empty", "empty_like", "empty_strided", "view", "detach")}


@pytest.mark.parametrize("name", LAUNCHES)
def test_two_launches_forward_and_one_backward_and_no_other_operator(name):
    """One more in each direction for a tile that cannot hold all classes, and one for sums that cannot be fewer."""
    make, tensors, forward, backward = LAUNCHES[name]
    loss, (x, t) = make(), tensors()
    x.requires_grad_()
    with stubbed() as launches:
        loss(x, t).backward()
        launches.clear()
        x.grad = None
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            value = loss(x, t)
        assert [kernel.__name__ for kernel, _, _ in launches] == [*forward, "finish"]
        launches.clear()
        one = torch.ones(())
        with profile(activities=[ProfilerActivity.CPU]) as seen_backward:
            torch.autograd.grad(value, x, one)
        assert [kernel.__name__ for kernel, _, _ in launches] == backward
    for events in (seen, seen_backward):
        operators = {event.key for event in events.key_averages() if event.key.startswith("aten::")}
        assert operators <= ALLOCATING


@pytest.mark.parametrize("name", ["alpha", "normalizer", "both poolings", "class weight and smoothing", "rows", "half"])
def test_prepared_launches_equal_the_definition(interpreter, name):
    launches, value, gradient = interpreter(device_cases.prepared_calls, name)
    assert len(launches) == 3
    assert value < 4e-7
    assert gradient < 2e-6


def test_an_address_that_triton_did_not_compile_for_goes_through_triton(interpreter):
    launches, value, gradient = interpreter(device_cases.unaligned)
    assert not launches
    assert value < 4e-7
    assert gradient < 2e-6


def test_a_profiler_of_launches_goes_through_triton(monkeypatch):
    device = torch.device("cpu")
    assert prepared.stream_of(device) is None
    monkeypatch.setattr(torch._C, "_cuda_getDevice", lambda: 1, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda index: 70 + index, raising=False)
    assert prepared.stream_of(torch.device("cuda:1")) == 71
    assert prepared.stream_of(torch.device("cuda:0")) is None
    monkeypatch.setattr(triton.knobs.runtime, "launch_enter_hook", lambda _: None)
    assert prepared.stream_of(torch.device("cuda:1")) is None


def test_a_warm_call_passes_addresses():
    loss, (x, t) = losskit.DiceCELoss(), labels((2, 5, 32, 32))
    x.requires_grad_()
    with stubbed() as launches:
        loss(x, t).backward()
        launches.clear()
        loss(x, t).backward()
        first, last, backward = (given for _, given, _ in launches)
    for given in (first, last, backward):
        assert not any(isinstance(each, torch.Tensor) for each in given.values())
    assert first["input"] == (x.data_ptr(), 5120, 1024, 1)
    assert last["partials"] == first["partials"]
    assert backward["coefficients"][0] == last["coefficients"]


FRAMES = {"cross-entropy": 24, "Dice + cross-entropy": 35, "Dice + BCE": 35, "Huber": 24}


def test_a_warm_call_is_few_python_calls():
    """Calls of functions of this package, forward and backward; each takes the host about half a microsecond."""
    package = str(Path(losskit.__file__).parent)
    with silent() as calls:
        for name, call in calls.items():
            seen = []

            def count(frame, event, _, seen=seen):
                if event == "call" and frame.f_code.co_filename.startswith(package):
                    seen.append(frame.f_code.co_name)

            fewest = []
            for _ in range(late.TOGETHER + 2):  # a call in eight copies the labels' problems
                seen.clear()
                sys.setprofile(count)
                try:
                    call()
                finally:
                    sys.setprofile(None)
                fewest = min(fewest or seen[:], seen[:], key=len)
            assert len(fewest) <= FRAMES[name], (name, fewest)


def test_problems_of_several_calls_are_read_back_together():
    """Only the last of eight calls copies; an error names the loss that saw it, and `flush_errors` does not wait."""
    values.flush_errors()
    device = torch.device("cpu")

    def call(loss, kind=0.0):
        rows, place = late.row_of(loss, 3, device, None)
        rows.found[place] = torch.tensor([kind, 7.0])
        rows.launched()

    for _ in range(late.TOGETHER - 1):
        call("First")
        assert not values.pending()
    call("First")
    assert values.pending()
    values.raise_pending()
    call("First")
    call("Second", 1.0)
    call("Third", 1.0)
    with pytest.raises(ValueError, match="Second: target holds the class index 7, but input has 3 classes"):
        values.flush_errors()
    values.flush_errors()


def test_a_plan_is_kept_for_a_layout():
    loss, (x, t) = losskit.DiceCELoss(), labels((2, 5, 32, 32))
    with stubbed() as launches:
        for given in (x, x + 1, x[:1], x):
            loss(given, t[: len(given)])
        assert len(loss.plans) == 2
        assert len(launches) == 8


@pytest.mark.parametrize("name", ["three parts", "sigmoid", "many classes", *(n for n in LAUNCHES if "own" in n)])
@pytest.mark.parametrize("capability", [80, 90])
def test_the_launches_of_a_plan_compile_for_a_gpu(name, capability):
    make, tensors, _, _ = LAUNCHES[name]
    loss, (x, t) = make(), tensors()
    with stubbed() as launches:
        loss(x.requires_grad_(), t).backward()
        for launch in launches:
            if launch[0].__name__ != "reduce":
                assert triton_builds.compiled(launch, capability).asm["cubin"]


def test_operations_of_formulas_compile_for_a_gpu():
    loss, (x, t) = losskit.FocalTverskyLoss(gamma=1.37) + losskit.LogCoshDiceLoss(), labels()
    with stubbed() as launches:
        loss(x.requires_grad_(), t)
        assert triton_builds.compiled(launches[-1], 80).asm["cubin"]
