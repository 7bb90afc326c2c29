"""Every option of every loss of labels changes the number, and to what loops in numpy make of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import losskit
from loops import expected
from losskit.core.algebra import WeightedSum
from losskit.losses import classification, combined, ranked, region
from peers import binary, multiclass, one_hot

MODULES = [m.__name__ for m in (classification, combined, ranked, region)]
LOSSES: dict[str, Any] = {
    cls.__name__: cls
    for cls in vars(losskit).values()
    if getattr(cls, "__module__", "") in MODULES and hasattr(cls, "options")
}
TAKES = {  # the data of losses that do not take all
    "BCEWithLogitsLoss": ("binary", "multilabel", "fractions"),
    "CrossEntropyLoss": ("multiclass", "distributions"),
    "NLLLoss": ("multiclass", "distributions"),
    "DiceBCELoss": ("binary", "multilabel", "fractions"),
    "DiceCELoss": ("multiclass", "distributions"),
    "ComboLoss": ("binary", "multiclass", "multilabel", "fractions"),
    "LovaszLoss": ("binary", "multiclass", "multilabel"),
}
SEVERAL = ("multiclass", "multilabel", "distributions")
HARD = ("binary", "multiclass", "multilabel", "fractions")  # a class can be absent
PER_CLASS = [0.25, 2.0, 1.0, 3.0]

# Values of each option, and the data on which it says anything (None: all the loss takes).
VALUES: dict[str, list[tuple[Any, tuple[str, ...] | None]]] = {
    "absent": [("formula", HARD), ("skip", HARD)],
    "alpha": [(0.125, None)],
    "bce_weight": [(0.25, None)],
    "beta": [(0.25, None)],
    "ce_ratio": [(0.25, None)],
    "ce_weight": [(0.25, None)],
    "class_weight": [(PER_CLASS, SEVERAL)],
    "classes": [((1, 3), SEVERAL)],
    "dice_weight": [(0.25, None)],
    "floor": [(0.01, None)],
    "focal_weight": [(0.25, None)],
    "from_logits": [(False, None)],
    "gamma": [(0.5, None), (3.0, None)],
    "ignore_index": [(0, None)],
    "include_background": [(False, SEVERAL)],
    "label_smoothing": [(0.25, None)],
    "log": [(True, None)],
    "mode": [("multilabel", ("multiclass",))],
    "overlap": [("l1", ("fractions", "distributions"))],
    "pool": [("batch", None)],
    "pos_weight": [(3.0, None), (PER_CLASS, ("multilabel",))],
    "prior": [([1.0, 2.0, 4.0, 1.0], None)],
    "q": [(0.25, None)],
    "reduction": [("sum", None), ("none", None)],
    "smooth": [(1.0, None)],
    "squared": [(True, None)],
    "variant": [("tutorial", None)],
}
OWN: dict[tuple[str, str], list[tuple[Any, tuple[str, ...] | None]]] = {  # where a loss takes other values
    **{
        (name, "alpha"): [
            (0.125, ("binary", "multilabel", "fractions")),
            (PER_CLASS, ("multiclass", "distributions")),
            ([0.25, 0.5, 1.0, 0.0], ("multilabel",)),
        ]
        for name in ("FocalLoss", "DiceFocalLoss")
    },
    ("LovaszLoss", "classes"): [("all", ("multiclass",)), ((1, 3), ("multiclass",))],
    **{(name, "mode"): [] for name in ("DiceBCELoss", "DiceCELoss", "ComboLoss")},  # one choice
    ("NLLLoss", "from_logits"): [],  # it takes log-probabilities and refuses
    ("MeanFocalLoss", "reduction"): [],  # one number, however reduced
}
BESIDE: dict[str, dict[str, Any]] = {"absent": {"smooth": 1.0}}  # what another option needs to say anything


def data(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of three lines of elements; one of them lacks a class."""
    if kind == "multiclass":
        logits, target = multiclass((3, 4, 7))
        target[0, :4] = torch.arange(4)
        target[0][target[0] == 3] = 1
        return logits, target
    if kind == "distributions":
        return multiclass((3, 4, 7))[0], multiclass((3, 4, 7), seed=1)[0].softmax(1)
    logits, target = binary((3, 1 if kind in ("binary", "fractions") else 4, 7), seed=2)
    target[0, -1] = 0.0
    return logits, target * 0.75 if kind == "fractions" else target


def kinds(name: str) -> tuple[str, ...]:
    return TAKES.get(name, ("binary", "multiclass", "multilabel", "fractions", "distributions"))


def cases() -> Iterator[Any]:
    for name, cls in LOSSES.items():
        for option in cls.options:
            for setting, where in OWN.get((name, option), VALUES.get(option, [])):
                for kind in kinds(name):
                    if where is None or kind in where:
                        yield name, option, setting, kind


def sensible(name: str, option: str, setting: Any, kind: str) -> bool:
    """A composite is one number, and a distribution holds no label to ignore."""
    composite = issubclass(LOSSES[name], WeightedSum)
    return not (setting == "none" and composite) and not (kind == "distributions" and option == "ignore_index")


def prepared(name: str, kind: str, options: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """The tensors that the loss wants with these options, and the mode that the data need."""
    logits, target = data(kind)
    sigmoid = kind in ("binary", "multilabel", "fractions")
    if options.get("from_logits") is False:
        logits = logits.sigmoid() if sigmoid else logits.softmax(1)
    if name == "NLLLoss":
        logits = logits.log_softmax(1)
    modes = {"multilabel": "multilabel", "distributions": "multiclass"}
    declared = LOSSES[name].options.get("mode")
    asked = {"mode": modes[kind]} if kind in modes and declared is not None and declared.default is None else {}
    return logits, target, {**asked, **options}


def reference(name: str, kind: str, options: dict[str, Any]) -> Any:
    logits, target, options = prepared(name, kind, options)
    link = "sigmoid" if kind in ("binary", "multilabel", "fractions") else "softmax"
    counts = target != options.get("ignore_index", -100)
    if kind == "multiclass":
        target, counts = one_hot(target, 4), counts.unsqueeze(1)
    complete = {n: o.default for n, o in LOSSES[name].options.items()} | options
    if complete.get("mode") is not None:
        link = "sigmoid" if complete["mode"] == "multilabel" else "softmax"
    return expected(name, logits.numpy(), target.numpy(), counts.expand(logits.shape).numpy(), link, complete)


def value(name: str, kind: str, options: dict[str, Any]) -> Any:
    logits, target, options = prepared(name, kind, options)
    return LOSSES[name](**options)(logits, target).numpy()


@pytest.mark.parametrize(("name", "option", "setting", "kind"), [c for c in cases() if sensible(*c)], ids=str)
def test_option(name: str, option: str, setting: Any, kind: str) -> None:
    beside = BESIDE.get(option, {})
    options = {**beside, option: setting}
    found = value(name, kind, options)
    np.testing.assert_allclose(found, reference(name, kind, options), rtol=1e-10, atol=1e-13)
    if option == "from_logits":
        probabilities, target, options = prepared(name, kind, options)
        default = LOSSES[name](**{**options, "from_logits": True})(probabilities, target).numpy()
    else:
        default = value(name, kind, beside)
    assert found.shape != default.shape or np.abs(found - default).max() > 1e-4


@pytest.mark.parametrize("name", LOSSES)
def test_defaults(name: str) -> None:
    for kind in kinds(name):
        np.testing.assert_allclose(value(name, kind, {}), reference(name, kind, {}), rtol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_empty(name: str) -> None:
    kind = kinds(name)[0]
    logits, target, _ = prepared(name, kind, {})
    nothing = torch.full_like(target, -100)
    assert LOSSES[name]()(logits, nothing) == 0
    assert LOSSES[name](empty="nan")(logits, nothing).isnan()
    with pytest.raises(ValueError, match="nothing counts"):
        LOSSES[name](empty="raise")(logits, nothing)


def test_every_option_is_here() -> None:
    assert {"FocalLoss", "DiceLoss", "JaccardLoss", "ComboLoss", "LovaszLoss"} < set(LOSSES)
    for name, cls in LOSSES.items():
        assert set(cls.options) - {"empty"} <= {o for n, o in OWN if n == name} | set(VALUES), name
