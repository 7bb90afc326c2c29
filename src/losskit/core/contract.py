"""The contract of inputs: one place that reads input, target, weight and mask, and raises every error about them.

What the target means is inferred only where it cannot be mistaken; everything else is an error that names both
shapes and the repair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, NoReturn

import torch
from torch import Tensor

from losskit.core.errors import shape
from losskit.ops.inputs import Inputs, Link

Mode = Literal["multilabel", "multiclass"]
Always = Literal["sigmoid", "softmax", "log_softmax"]  # losses whose link never depends on the target

_LABELS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class InputSpec(NamedTuple):
    """How a loss of labels reads the tensors of a call; losses of equal specs read alike."""

    always: Always | None = None
    mode: Mode | None = None
    ignore_index: int = -100
    from_logits: bool = True
    same_shape: bool = False  # whether the target has the input's shape, always

    def parse(
        self,
        owner: str,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        logit_bias: Tensor | None = None,
    ) -> Inputs:
        """The tensors in their one form, or an error that says what is wrong with them."""
        always = self.always
        check_floating(owner, "input", input)
        check_tensor(owner, "target", target)
        if not target.is_floating_point() and target.dtype not in _LABELS:
            check_real(owner, "target", target)
            raise TypeError(
                f"{owner}: target must hold booleans, integers of 8 to 64 bits that PyTorch computes with, or floating "
                f"point numbers; got {target.dtype}. Pass target.long()."
            )
        given = input
        if self.same_shape:
            check_equal(owner, {"input": input, "target": target})
            if input.dim() < 2:
                raise ValueError(
                    f"{owner}: input must have shape (N, C, *); got {shape(input)}. For a single sample pass "
                    "input.unsqueeze(0) and target.unsqueeze(0)."
                )
        by_class = always in ("softmax", "log_softmax")
        if input.dim() == 1 and target.shape == input.shape and not by_class:
            input, target = input.unsqueeze(1), target.unsqueeze(1)  # (N,) is a batch of single scores
        if input.dim() < 2:
            raise ValueError(
                f"{owner}: input must have shape (N, C, *), a batch of class scores, or (N,) with a target of the same "
                f"shape; got {shape(given)} with target {shape(target)}. Pass input.unsqueeze(0) for a single sample."
            )
        if by_class and input.shape[1] == 1 and input.shape[0] > 0:
            raise ValueError(
                f"{owner}: input {shape(given)} has one channel, so every softmax over it is 1. Pass one channel per "
                "class, or use BCEWithLogitsLoss for a single score."
            )
        link, target = _link_and_target(owner, given, input, target, self.mode, always)
        spatial = tuple(input.shape[2:])
        weight = _per_position(owner, "weight", weight, input, link, spatial, refuse_1d=by_class or self.same_shape)
        check_mask(owner, mask)
        mask = _per_position(owner, "mask", mask, input, link, spatial, refuse_1d=False)
        output_shape = given.shape if link == "sigmoid" else torch.Size((input.shape[0], *spatial))
        return Inputs(
            owner, input, target, weight, mask, link, self.ignore_index, self.from_logits, logit_bias, output_shape
        )


def check_equal(owner: str, tensors: dict[str, Tensor]) -> None:
    """Two tensors, by name, have one shape; nothing broadcasts."""
    (a, first), (b, second) = tensors.items()
    if first.shape != second.shape:
        repair = _repair(first, second).replace("input.", f"{a}.").replace("target.", f"{b}.")
        raise ValueError(
            f"{owner}: {a} has shape {shape(first)} and {b} {shape(second)}; they must be equal, nothing broadcasts. "
            f"{repair}"
        )


def elementwise(owner: str, name: str, tensor: Tensor | None, wanted: Sequence[int]) -> Tensor | None:
    """A weight or mask with as many dimensions as the elements, each of their size or 1."""
    if tensor is None:
        return None
    check_real(owner, name, tensor)
    if name == "mask":
        check_mask(owner, tensor)
    if not _fits(tensor, wanted):
        raise ValueError(
            f"{owner}: {name} has shape {shape(tensor)}, but it takes {tuple(wanted)}, with size 1 where it broadcasts."
            f"{_sample_advice(tensor, wanted)}"
        )
    return tensor


def check_mask(owner: str, mask: Tensor | None) -> None:
    if mask is None:
        return
    check_tensor(owner, "mask", mask)
    if mask.dtype != torch.bool:
        raise TypeError(
            f"{owner}: mask must be bool, True where an element counts; got {mask.dtype}. Pass mask.bool(), or use "
            "weight= for fractions."
        )


def check_tensor(owner: str, name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"{owner}: {name} must be a tensor; got {type(value).__name__}. Pass torch.as_tensor({name}).")


def check_real(owner: str, name: str, value: object) -> None:
    """A tensor of numbers that are not complex."""
    check_tensor(owner, name, value)
    assert isinstance(value, Tensor)
    if value.is_complex():
        raise TypeError(
            f"{owner}: {name} is complex, {value.dtype}, and only MSELoss, L1Loss, SmoothL1Loss and HuberLoss take "
            f"complex input and target, whose difference they measure by its modulus. Pass {name}.abs() if the modulus "
            "is meant."
        )


def modulus(owner: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """A complex input and target as the modulus of their difference, and 0."""
    if not (input.is_complex() or target.is_complex()):
        return input, target
    check_equal(owner, {"input": input, "target": target})
    error = (input - target).abs()
    return error, torch.zeros_like(error)


def check_floating(owner: str, name: str, value: object) -> None:
    check_real(owner, name, value)
    assert isinstance(value, Tensor)
    if not value.is_floating_point():
        raise TypeError(f"{owner}: {name} must be floating point; got {value.dtype}. Pass {name}.float().")


def _link_and_target(
    owner: str, given: Tensor, input: Tensor, target: Tensor, mode: Mode | None, always: Always | None
) -> tuple[Link, Tensor]:
    n, c, spatial = input.shape[0], input.shape[1], tuple(input.shape[2:])
    found, positions, same = tuple(target.shape), (n, *spatial), (n, c, *spatial)
    if c == 1 and always in (None, "sigmoid"):
        if mode == "multiclass":
            raise ValueError(f"{owner}: mode='multiclass' needs a channel per class, but input {shape(given)} has one.")
        if found not in (same, positions):
            _refuse_shape(owner, given, target, [same, positions])
        return "sigmoid", target.unsqueeze(1) if found == positions else target
    if found == same:
        return always or _chosen(owner, given, target, mode), target
    if always == "sigmoid":
        _refuse_shape(owner, given, target, [same])
    if found not in (positions, (n, 1, *spatial)):
        _refuse_shape(owner, given, target, [positions, same])
    if target.is_floating_point():
        raise ValueError(
            f"{owner}: target {shape(target)} holds {target.dtype}, but class indices for input {shape(given)} are "
            "integers. Pass target.long()."
        )
    link: Link = always or ("sigmoid" if mode == "multilabel" else "softmax")
    return link, target if found == positions else target.squeeze(1)


def _chosen(owner: str, given: Tensor, target: Tensor, mode: Mode | None) -> Link:
    if mode is None:
        raise ValueError(
            f"{owner}: input and target both have shape {shape(target)}. Pass mode='multilabel' if each class is yes "
            "or no by itself (sigmoid), or mode='multiclass' if the target is one-hot or a distribution over classes "
            f"(softmax).{_no_class_dimension(given)}"
        )
    return "sigmoid" if mode == "multilabel" else "softmax"


def _no_class_dimension(input: Tensor) -> str:
    if input.dim() < 3:
        return ""
    return " If input has no class dimension, pass input.unsqueeze(1) and target.unsqueeze(1)."


def _refuse_shape(owner: str, input: Tensor, target: Tensor, wanted: list[tuple[int, ...]]) -> NoReturn:
    expected = " or ".join(str(w) for w in dict.fromkeys(wanted))
    raise ValueError(
        f"{owner}: target has shape {shape(target)}, but input {shape(input)} takes a target of shape {expected}. "
        f"{_repair(input, target)}"
    )


def _repair(input: Tensor, target: Tensor) -> str:
    """The one change that makes the shapes fit, where there is one."""
    i, t = tuple(input.shape), tuple(target.shape)
    positions = (i[0], *i[2:]) if len(i) > 1 else i
    if len(i) > 2 and t == i[:-1]:
        return "If classes come last, pass input.movedim(-1, 1)."
    if len(i) > 2 and t == (i[0], *i[2:], i[1]):
        return "If the target's classes come last, pass target.movedim(-1, 1)."
    if len(t) > 1 and sorted(t[-2:]) == sorted(i[-2:]) and t[-2:] != i[-2:] and len(i) > 2:
        return "Height and width are swapped: pass target.transpose(-1, -2)."
    if t and t[0] == 1 and i[0] > 1 and t[1:] in (i[1:], positions[1:]):
        return f"The target is one sample for a batch of {i[0]}: pass target.expand({i[0]}, {'-1, ' * (len(t) - 2)}-1)."
    if len(t) == len(i) - 1 and t == positions:
        return "Pass target.unsqueeze(1)."
    if len(t) == len(i) - 1 and i[-1] == 1 and t == i[:-1]:
        return "Pass input.squeeze(-1)."
    if len(t) == len(i) + 1 and t[1] == 1 and (t[0], *t[2:]) == i:
        return "Pass target.squeeze(1)."
    if target.numel() == input.numel():
        return f"Pass target.reshape({', '.join(map(str, i))}) if the elements are in the same order."
    return "Make the shapes agree before the call."


def _per_position(
    owner: str,
    name: str,
    tensor: Tensor | None,
    input: Tensor,
    link: Link,
    spatial: tuple[int, ...],
    *,
    refuse_1d: bool,
) -> Tensor | None:
    """A weight or mask as a view that broadcasts to (N, C, *): by position, or by element under sigmoid."""
    if tensor is None:
        return None
    check_real(owner, name, tensor)
    n, c = input.shape[0], input.shape[1]
    by_class = link != "sigmoid"
    if name == "weight" and tensor.dim() == 1 and (refuse_1d or spatial or (c > 1 and not by_class)):
        raise ValueError(
            f"{owner}: weight has one dimension, {shape(tensor)}. Per-class weights are class_weight=, an option of "
            f"the loss; per-sample weights have shape ({', '.join(['N', *['1'] * max(len(spatial), 1)])})."
        )
    if tensor.dim() == 1 + len(spatial) and (by_class or spatial or c == 1) and _fits(tensor, (n, *spatial)):
        return tensor.unsqueeze(1)
    if tensor.dim() == 2 + len(spatial) and _fits(tensor, (n, 1 if by_class else c, *spatial)):
        return tensor
    wanted = [(n, *spatial), (n, 1, *spatial)] if by_class or c == 1 else [(n, c, *spatial)]
    raise ValueError(
        f"{owner}: {name} has shape {shape(tensor)}, but input {shape(input)} takes "
        f"{' or '.join(map(str, dict.fromkeys(wanted)))}, with size 1 where it broadcasts."
        f"{_sample_advice(tensor, wanted[0])}"
    )


def _fits(tensor: Tensor, wanted: Sequence[int]) -> bool:
    return tensor.dim() == len(wanted) and all(s in (1, w) for s, w in zip(tensor.shape, wanted, strict=True))


def _sample_advice(tensor: Tensor, wanted: Sequence[int]) -> str:
    if tensor.dim() == 1 and len(wanted) > 1 and tensor.shape[0] == wanted[0]:
        return f" For one number a sample pass it as .view({', '.join(['-1', *['1'] * (len(wanted) - 1)])})."
    return " Give it that shape."
