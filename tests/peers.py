"""The other libraries, as references for numbers: `peer("monai").DiceLoss`. A missing one is an error, never a skip."""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# The module of each library that holds its losses, by the name it is known by.
MODULES = {
    "torch": "torch.nn",
    "monai": "monai.losses",
    "kornia": "kornia.losses",
    "smp": "segmentation_models_pytorch.losses",
    "toolbelt": "pytorch_toolbelt.losses",
    "timm": "timm.loss",
    "torchvision": "torchvision.ops",
    "fvcore": "fvcore.nn",
}
_ON_TORCHVISION = ("torchvision", "smp", "toolbelt", "timm")
_declared: list[torch.library.Library] = []  # an operator lives as long as the library that declared it


class PeerMissing(ImportError):
    """A library that the numbers are held against is not installed."""


@functools.cache
def peer(name: str) -> Any:
    """The module of a library that holds its losses, imported when first asked for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name in _ON_TORCHVISION:
                _import_torchvision()
            return importlib.import_module(MODULES[name])
    except ImportError as error:
        where = " In CI every peer must be installed." if os.environ.get("CI") == "true" else ""
        raise PeerMissing(
            f"{name} is one of the libraries that the numbers are held against, and it cannot be imported: {error}. "
            f"Run pip install -e '.[peers]'.{where}"
        ) from error


def load(path: str) -> Any:
    """The function or class of this dotted path, from a library that is installed."""
    place, _, name = path.rpartition(".")
    for library, module in MODULES.items():
        if place == module:
            return getattr(peer(library), name)
    return getattr(importlib.import_module(place), name)


def _import_torchvision() -> None:
    """Import torchvision, also beside a torch of another build, whose compiled operators do not load.

    Then two operators that it describes without having them stop the import. They are declared here; nothing calls
    them, and the losses are Python.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        declare_operators_of_torchvision()
        importlib.import_module("torchvision")


def declare_operators_of_torchvision() -> None:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


def agree(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    logits: Tensor,
    target: Tensor,
    *,
    their_target: Tensor | None = None,
    tolerance: float = 1e-11,
) -> None:
    """Both losses have the same values, and the same gradient of a weighted sum of them, at the same logits."""
    (value, gradient), (their_value, their_gradient) = (
        value_and_gradient(loss, logits, labels)
        for loss, labels in ((ours, target), (theirs, target if their_target is None else their_target))
    )
    scale = float(their_gradient.abs().max())
    assert scale > 0, "a gradient of zero compares nothing"
    torch.testing.assert_close(value, their_value, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradient, their_gradient, rtol=tolerance, atol=tolerance * scale)


def value_and_gradient(loss: Callable[..., Tensor], logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The value, and the gradient of its sum with weights from 1 to 2, in float64."""
    x = logits.detach().clone().requires_grad_()
    value = loss(x, target)
    slopes = torch.linspace(1.0, 2.0, value.numel(), dtype=value.dtype).reshape(value.shape)
    (gradient,) = torch.autograd.grad((value * slopes).sum(), x)
    return value.detach().double(), gradient.double()


SINGLE = 2e-5  # tolerance beside a peer that computes in float32 whatever it is given


def binary(shape: tuple[int, ...] = (3, 1, 6, 5), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits and a 0/1 target of their shape, in float64, with both labels in every sample and channel."""
    make = torch.Generator().manual_seed(seed)
    target = (torch.rand(shape, generator=make) < 0.4).double()
    if len(shape) > 2:
        target[..., 0, 0], target[..., 0, 1] = 1.0, 0.0
    return 2 * torch.randn(shape, generator=make, dtype=torch.float64), target


def multiclass(shape: tuple[int, ...] = (3, 4, 6, 5), seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (N, C, *) in float64 and class indices (N, *), with every class in every sample that has room."""
    make = torch.Generator().manual_seed(seed)
    target = torch.randint(shape[1], (shape[0], *shape[2:]), generator=make)
    if len(shape) > 2:
        target[..., 0, : shape[1]] = torch.arange(shape[1])
    return 2 * torch.randn(shape, generator=make, dtype=torch.float64), target


def one_hot(target: Tensor, classes: int) -> Tensor:
    """(N, *) class indices to (N, C, *) float64."""
    return torch.nn.functional.one_hot(target, classes).movedim(-1, 1).double()
