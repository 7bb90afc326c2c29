"""The operator of a loss, its number of passes, and why each other operator is not used: no silent fallback."""

import sys
import threading

import pytest
import torch

import losskit
from cases import where
from inputs import LABELS, Shape
from losskit import functional
from losskit.core.algebra import WeightedSum
from losskit.core.labels import ClassificationLoss
from losskit.core.region import RegionLoss
from losskit.ops import choice

SHAPE = Shape(2, 3, (4, 5))
REFUSED = {
    **dict.fromkeys(
        ("generalized_wasserstein_dice_loss", "noise_robust_dice_loss", "sensitivity_specificity_loss"),
        choice.OWN_FORMULA,
    ),
    "nll_loss": "the input holds log-probabilities",
}
FUSED = where(lambda c: c.kind in LABELS and issubclass(c.loss, RegionLoss | ClassificationLoss | WeightedSum))


def passes_of(loss, *tensors, **arguments):
    with choice.recorded() as passes:
        loss(*tensors, **arguments)
    return passes


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_one_pass_of_the_c_kernels_serves_every_region_and_classification_loss_and_composite(case):
    given = case.given(SHAPE, 1, torch.float32)
    arguments = {"mask": torch.rand(given.positions) < 0.7, "weight": torch.rand(given.positions)}
    for each in ({}, arguments):
        (only,) = passes_of(case(), *given.tensors, **each)
        own_kernel = case.entry.name == "generalized_wasserstein_dice_loss" and case.kind == "indices" and not each
        if only.operator == choice.CLOSED_FORM:
            assert case.loss.shortcut is not None
            assert not each
        elif case.entry.name in REFUSED and not own_kernel:
            assert (only.operator, only.refused["native"]) == ("reference", REFUSED[case.entry.name])
        else:
            assert only.operator == "native", (
                f"{case}: {only.refused.get('native')}. Let one pass serve it, or add the reason to REFUSED above."
            )
            assert "native" not in only.refused


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["dice_ce_loss", "focal_loss"])
def test_half_precision_is_served_too(name, dtype):
    x, target = torch.randn(2, 3, 8).to(dtype), torch.randint(0, 3, (2, 8))
    (only,) = passes_of(getattr(functional, name), x, target)
    assert only.operator == "native"


@pytest.mark.parametrize("name", ["mask_bce_loss", "mask_dice_loss"])
def test_losses_of_masks_are_served(name):
    masks, target = torch.randn(4, 9, 9, requires_grad=True), (torch.rand(4, 9, 9) > 0.5).float()
    (only,) = passes_of(getattr(functional, name), masks, target)
    assert only.operator == "native"


X, T = torch.randn(2, 3, 8), torch.randint(0, 3, (2, 8))
DIFFERENCES = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")


@pytest.mark.parametrize("name", DIFFERENCES)
def test_one_pass_of_the_c_kernels_serves_losses_of_differences_and_makes_their_gradient(name):
    for size in (8, 4096):
        x = torch.randn(2, 3, size, requires_grad=True)
        y = torch.randn_like(x)
        for given in ({}, {"mask": y > 0}, {"weight": y.exp()}):
            (only,) = passes_of(getattr(functional, name), x, y, **given)
            assert (only.operator, only.gradient_in_forward) == ("native", True)
            assert "native" not in only.refused


@pytest.mark.parametrize("name", ["lovasz_loss", *DIFFERENCES])
def test_what_triton_has_no_kernels_for_says_so_where_it_is_forced(name):
    target = X if name in DIFFERENCES else T
    (only,) = passes_of(getattr(functional, name), X, target)
    assert only.operator == "native"
    with choice.forced("triton"), pytest.raises(RuntimeError, match=only.refused["triton"]):
        getattr(functional, name)(X, target)


@pytest.mark.parametrize(
    ("reason", "call"),
    [
        ("the input is float64", lambda: functional.dice_loss(X.double(), T)),
        ("the input is empty", lambda: functional.dice_loss(X[:0], T[:0])),
        (
            "the input holds probabilities (from_logits=False)",
            lambda: functional.dice_loss(X.softmax(1), T, from_logits=False),
        ),
        (
            "weight requires a gradient",
            lambda: functional.cross_entropy(X, T, weight=torch.ones(2, 8, requires_grad=True)),
        ),
        (
            "target requires a gradient",
            lambda: functional.cross_entropy(X, X.softmax(1).requires_grad_()),
        ),
        (
            "forward-mode differentiation",
            lambda: torch.func.jvp(lambda x: functional.dice_loss(x, T), (X,), (X,)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_is_refused_for_a_reason(reason, call):
    (only,) = passes_of(call)
    assert only.operator == "reference"
    assert only.refused["native"] == reason
    assert reason in str(only)


UNREAD = (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)
UNREAD_IDS = [str(dtype).removeprefix("torch.") for dtype in UNREAD]


@pytest.mark.parametrize("dtype", UNREAD, ids=UNREAD_IDS)
@pytest.mark.parametrize("loss", [functional.cross_entropy, functional.mse_loss])
def test_a_weight_of_a_type_that_the_kernels_do_not_read_has_its_numbers(loss, dtype):
    target = T if loss is functional.cross_entropy else X.flip(0)
    weight = torch.tensor([[0.0], [2.0]]).expand(2, 8) if target is T else torch.tensor([0.0, 2.0]).view(2, 1, 1)
    with choice.recorded() as passes:
        found = loss(X, target, weight=weight.to(dtype))
    assert passes[0].refused["native"] == f"weight is {str(dtype).removeprefix('torch.')}"
    torch.testing.assert_close(found, loss(X, target, weight=weight))


@pytest.mark.parametrize("dtype", UNREAD, ids=UNREAD_IDS)
def test_a_target_of_a_type_that_the_kernels_do_not_read_has_its_numbers(dtype):
    target = X.relu().round().to(dtype)
    with choice.recorded() as passes:
        found = functional.mse_loss(X, target)
    assert passes[0].refused["native"] == f"target is {str(dtype).removeprefix('torch.')}"
    torch.testing.assert_close(found, functional.mse_loss(X, target.float()))


def lazily(x):
    """The same numbers, stored as their negatives."""
    lazy = torch.complex(x, -x).conj().imag
    assert lazy.is_neg()
    return lazy


@pytest.mark.parametrize(
    "call",
    [
        lambda through: functional.cross_entropy(through(X), T),
        lambda through: functional.lovasz_loss(through(X), T),
        lambda through: functional.mse_loss(X.flip(0), through(X)),
    ],
    ids=["input", "ranks", "target"],
)
def test_numbers_that_are_negated_when_they_are_read_are_not_read_as_they_lie(call):
    torch.testing.assert_close(call(lazily), call(lambda x: x))


ELSEWHERE = [
    ("target", lambda meta: functional.cross_entropy(X, T.to(meta))),
    ("weight", lambda meta: functional.cross_entropy(X, T, weight=torch.ones(2, 8, device=meta))),
    ("mask", lambda meta: functional.cross_entropy(X, T, mask=torch.ones(2, 8, device=meta) > 0)),
    ("target", lambda meta: functional.lovasz_loss(X, T.to(meta))),
    ("mask", lambda meta: functional.lovasz_loss(X, T, mask=torch.ones(2, 8, device=meta) > 0)),
    ("target", lambda meta: functional.mse_loss(X, X.to(meta))),
    ("mask", lambda meta: functional.mse_loss(X, X, mask=torch.ones(2, 3, 8, device=meta) > 0)),
]


@pytest.mark.parametrize(("name", "call"), ELSEWHERE)
def test_an_address_on_another_device_is_left_to_pytorch_to_complain_about(name, call):
    with choice.recorded() as passes, pytest.raises(RuntimeError, match="device meta"):
        call("meta")
    assert passes[0].refused["native"] == f"{name} is on meta, the input on cpu"


def test_a_composite_is_as_many_passes_as_it_has_readings_and_explain_says_so():
    one = losskit.DiceLoss() + 0.5 * losskit.FocalLoss() + losskit.CrossEntropyLoss()
    explained = losskit.explain(one, X, T)
    assert [each.operator for each in explained] == ["native"]
    assert "one pass over the input" in str(explained)
    two = losskit.CrossEntropyLoss() + losskit.DiceLoss(mode="multilabel")
    explained = losskit.explain(two, X, T)
    assert [each.operator for each in explained] == ["native", "reference"]
    assert (
        explained.passes[1].refused["native"]
        == "the target holds class indices of independent classes (one versus rest)"
    )
    assert "2 passes over the input" in str(explained)
    assert "not native: the input is float64" in str(losskit.explain(two, X.double(), T))


def test_one_operator_can_be_forced_and_says_why_it_cannot():
    with choice.forced("reference"):
        (only,) = passes_of(functional.dice_loss, X, T)
    assert (only.operator, only.refused["native"]) == ("reference", "LOSSKIT_BACKEND=reference")
    with choice.forced("native"), pytest.raises(RuntimeError, match="native, which does not"):
        functional.dice_loss(X.double(), T)


def test_threads_do_not_mix_their_passes():
    own = losskit.regression_loss(lambda output, target: (output - target).erf()).Module()
    both = losskit.DiceLoss(pool="batch") + losskit.LovaszLoss()
    calls = [(losskit.DiceLoss(), (X, T), 1), (own, (X, X.abs()), 1), (both, (X, T), 2)]
    expected = [str(losskit.explain(criterion, *tensors)) for criterion, tensors, _ in calls]
    assert len(set(expected)) == 3
    stop, seen = threading.Event(), [set() for _ in calls]

    def explain(index):
        criterion, tensors, _ = calls[index]
        for _ in range(200):
            found = losskit.explain(criterion, *tensors)
            seen[index].add((len(found), str(found)))

    def call():
        while not stop.is_set():
            for criterion, tensors, _ in calls:
                criterion(*tensors)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    others = [threading.Thread(target=call), *(threading.Thread(target=explain, args=(i,)) for i in range(3))]
    try:
        for thread in others:
            thread.start()
        for thread in others[1:]:
            thread.join()
    finally:
        stop.set()
        others[0].join()
        sys.setswitchinterval(before)
    assert seen == [{(count, text)} for (*_, count), text in zip(calls, expected, strict=True)]


def test_compiled_code_is_explained():
    compiled = torch.compile(losskit.DiceLoss(), fullgraph=True, backend="aot_eager")
    compiled(X, T)
    for _ in range(2):
        (only,) = losskit.explain(compiled, X, T)
        assert only.operator == "native"
