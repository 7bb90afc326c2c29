"""The contract of inputs: one place that reads input, target, weight and mask, and raises every error about them.

The meaning of the target is inferred only where it is unambiguous; everything else is an error that names both
shapes and the fix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, NoReturn

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from losskit.ops.inputs import NO_LABEL, Inputs, Link, can_branch, can_hold

Mode = Literal["multilabel", "multiclass"]
Always = Literal["sigmoid", "softmax", "log_softmax"]  # losses whose link never depends on the target

_LABELS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class InputSpec(NamedTuple):
    """How a label loss reads the tensors of a call; losses with equal specs read them alike."""

    always: Always | None = None
    mode: Mode | None = None
    ignore_index: int | tuple[int, ...] | None = -100
    from_logits: bool = True
    same_shape: bool = False  # whether the target always has the input's shape

    def parse(
        self,
        owner: str,
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        logit_bias: Tensor | None = None,
    ) -> Inputs:
        """The tensors in canonical form; raises an error that says what is wrong with them."""
        always = self.always
        check_input(owner, input, target)
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
        single = input.dim() == 1 and target.dim() == 0 and always != "sigmoid"  # one sample without a batch dimension
        if single:
            input, target = input.unsqueeze(0), target.unsqueeze(0)
            weight, mask = (t.reshape(1, 1) if isinstance(t, Tensor) and t.dim() == 0 else t for t in (weight, mask))
        by_class = always in ("softmax", "log_softmax")
        if input.dim() == 1 and target.shape == input.shape and not by_class:
            input, target = input.unsqueeze(1), target.unsqueeze(1)  # (N,) is a batch of single scores
        if input.dim() < 2:
            raise ValueError(
                f"{owner}: input must have shape (N, C, *), a batch of class scores; got {shape(given)} with target "
                f"{shape(target)}. {_unbatched(input, target, by_class=by_class)}"
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
        by_position = input.shape[:0] if single else input.shape[:1] + input.shape[2:]
        output_shape = given.shape if link == "sigmoid" else by_position
        target, ignored = self.ignoring(target)
        return Inputs(owner, input, target, weight, mask, link, ignored, self.from_logits, logit_bias, output_shape)

    def ignoring(self, target: Tensor) -> tuple[Tensor, int]:
        """The target with one ignored label, the first of several that its type can represent, and that label."""
        if isinstance(self.ignore_index, int):
            return target, self.ignore_index
        labels = [label for label in self.ignore_index or () if can_hold(target, label)]
        if not labels:
            return target, NO_LABEL
        first, *others = labels
        for label in others:
            target = target.masked_fill(target == label, first)
        return target, first


def shape(tensor: object) -> str:
    """A tensor's shape as PyTorch users write it: `(8, 1, 512, 512)`."""
    return str(tuple(tensor.shape)) if hasattr(tensor, "shape") else type(tensor).__name__


def check_returned(owner: str, method: str, value: object, expected: tuple[int, ...]) -> Tensor:
    """The value that a user-defined formula returned; raises an error with advice if it is no tensor of this shape."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{owner}: {method} must return a tensor of shape {expected}, one number per element; got "
            f"{type(value).__name__}. Return the tensor itself, without .item() or a Python number."
        )
    if tuple(value.shape) != expected:
        advice = (
            "Return the values unreduced: leave out .mean() and .sum(); reduction= does that."
            if value.dim() < len(expected)
            else "Keep one number per element."
        )
        raise ValueError(f"{owner}: {method} must return shape {expected}; got {shape(value)}. {advice}")
    return value


def check_input(owner: str, input: Tensor, target: Tensor) -> None:
    """Check that input is floating point and target a tensor; suggests that they are swapped where it seems so."""
    check_tensor(owner, "input", input)
    check_tensor(owner, "target", target)
    if not input.is_floating_point() and not input.is_complex() and target.is_floating_point():
        raise TypeError(
            f"{owner}: input must be floating point; got {input.dtype}, and target {target.dtype}. If the two have "
            "changed places, pass the model's output first; else pass input.float()."
        )
    check_floating(owner, "input", input)


def _unbatched(input: Tensor, target: Tensor, *, by_class: bool) -> str:
    """Advice for an input of fewer than two dimensions."""
    if input.dim() == 1 and target.dim() == 1 and (input.shape == target.shape or target.shape[0] == 1):
        if by_class and input.shape == target.shape and not target.is_floating_point():
            return "Scores of two classes take BCEWithLogitsLoss; for several pass input of shape (N, C)."
        return "For a single sample pass input.unsqueeze(0)" + (
            " and target.unsqueeze(0)." if input.shape == target.shape else "."
        )
    return "Pass one row of class scores for each label."


def check_equal(owner: str, tensors: dict[str, Tensor]) -> None:
    """Check that two named tensors have the same shape; nothing broadcasts."""
    (a, first), (b, second) = tensors.items()
    if first.shape != second.shape:
        repair = _repair(first, second).replace("input.", f"{a}.").replace("target.", f"{b}.")
        raise ValueError(
            f"{owner}: {a} has shape {shape(first)} and {b} {shape(second)}; they must be equal, nothing broadcasts. "
            f"{repair}"
        )


def elementwise(owner: str, name: str, tensor: Tensor | None, wanted: Sequence[int]) -> Tensor | None:
    """Check that a weight or mask has the dimensions of the elements, each of their size or 1."""
    if tensor is None:
        return None
    check_real(owner, name, tensor)
    if name == "mask":
        check_mask(owner, tensor)
    if not _fits(tensor, wanted):
        raise ValueError(
            f"{owner}: {name} has shape {shape(tensor)}, but it takes {tuple(wanted)}, with size 1 where it broadcasts."
            f"{_sample_advice(name, tensor, wanted)}"
        )
    return tensor


def weight_and_mask(
    owner: str, weight: Tensor | None, mask: Tensor | None, wanted: Sequence[int]
) -> tuple[Tensor | None, Tensor | None]:
    """Check that both have the dimensions of the elements."""
    return elementwise(owner, "weight", weight, wanted), elementwise(owner, "mask", mask, wanted)


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
        raise TypeError(f"{owner}: {name} must be a tensor; got {type(value).__name__}. {_tensor_of(name, value)}")
    if value.is_nested:
        raise TypeError(
            f"{owner}: {name} must be a plain tensor; got a nested one. Pass {name}.values(), every element in one "
            "dimension, and the same of the other tensors."
        )


def _tensor_of(name: str, value: object) -> str:
    """Advice for a value that is not a tensor."""
    if isinstance(value, PackedSequence):
        return f"Pass {name}.data, every step in one dimension, and the same of the other tensors."
    if isinstance(value, Mapping):
        known = next((str(key) for key, each in value.items() if isinstance(each, Tensor)), "...")
        return f"Pass one of its tensors, {name}[{known!r}], or use MultiTaskLoss(heads=...) with a loss for each."
    if isinstance(value, (list, tuple)) and any(isinstance(each, Tensor) for each in value):
        return f"Pass one of its tensors, {name}[0], or use DeepSupervisionLoss or MultiTaskLoss for several outputs."
    if hasattr(value, "__array__") or isinstance(value, (list, tuple, int, float)):
        return f"Pass torch.as_tensor({name})."
    return f"Pass a tensor as {name}."


def check_real(owner: str, name: str, value: object) -> None:
    """Check that a value is a tensor and not complex."""
    check_tensor(owner, name, value)
    assert isinstance(value, Tensor)
    if value.is_complex():
        raise TypeError(
            f"{owner}: {name} is complex, {value.dtype}, and only MSELoss, L1Loss, SmoothL1Loss and HuberLoss take "
            f"complex input and target, whose difference they measure by its modulus. Pass {name}.abs() if the modulus "
            "is meant."
        )


def modulus(owner: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """For a complex input or target, the modulus of their difference and 0."""
    if not (input.is_complex() or target.is_complex()):
        return input, target
    check_equal(owner, {"input": input, "target": target})
    error = (input - target).abs()
    return error, torch.zeros_like(error)


def check_floating(owner: str, name: str, value: object) -> None:
    check_real(owner, name, value)
    assert isinstance(value, Tensor)
    if not value.is_floating_point():
        repair = f"{name}.real, or {name}.abs() for the modulus" if value.is_complex() else f"{name}.float()"
        raise TypeError(f"{owner}: {name} must be floating point; got {value.dtype}. Pass {repair}.")


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
    if len(found) == len(same) and found == same:  # tuples of different lengths compare sizes too: a guard in exports
        return always or _chosen(owner, given, target, mode), target
    if always == "sigmoid":
        _refuse_shape(owner, given, target, [same])
    if found not in (positions, (n, 1, *spatial)):
        _refuse_shape(owner, given, target, [positions, same])
    if target.is_floating_point():
        target = _indices(owner, given, target)
    link: Link = always or ("sigmoid" if mode == "multilabel" else "softmax")
    return link, target if found == positions else target.squeeze(1)


def _indices(owner: str, given: Tensor, target: Tensor) -> Tensor:
    """Class indices from a floating-point target. Fractions become an index that is out of range for every input."""
    whole = target == target.floor()
    if can_branch(target) and not bool((whole | target.isnan()).all()):
        value = target.detach()[~whole].flatten()[0].item()
        raise ValueError(
            f"{owner}: target {shape(target)} holds {value:g}, but class indices for input {shape(given)} are whole "
            "numbers. For probabilities of classes give target the shape of input; else pass target.round()."
        )
    return target.detach().where(whole, NO_LABEL + 1).long()


def _chosen(owner: str, given: Tensor, target: Tensor, mode: Mode | None) -> Link:
    if mode is None:
        raise ValueError(
            f"{owner}: input and target both have shape {shape(target)}. Pass mode='multilabel' if each class is "
            "binary by itself (sigmoid), or mode='multiclass' if the target is one-hot or a distribution over classes "
            f"(softmax).{_no_class_dimension(given)}{boxes_advice(given)}"
        )
    return "sigmoid" if mode == "multilabel" else "softmax"


def boxes_advice(input: Tensor) -> str:
    """Advice where the input may be boxes."""
    may_be = input.dim() == 2 and input.shape[1] == 4
    return " If these are boxes, (N, 4), use BoxIoULoss or GIoULoss." if may_be else ""


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
    """Advice: the change that makes the shapes fit."""
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
    if len(i) > 2 and t == i[1:]:
        return "For a single sample pass input.unsqueeze(0) and target.unsqueeze(0)."
    if len(t) == len(i) - 1 and t == positions and i[1] == 1:
        return "Pass target.unsqueeze(1)."
    if len(t) == len(i) - 1 and t == positions and not target.is_floating_point():
        return "Class indices take a loss of classes, such as CrossEntropyLoss; else give target the shape of input."
    if len(t) == len(i) - 1 and t == positions:
        return "Give target one number for each of input, or pass one channel, input[:, :1]."
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
        f"{_sample_advice(name, tensor, wanted[0])}"
    )


def _fits(tensor: Tensor, wanted: Sequence[int]) -> bool:
    # Compared one by one: `in` misses a size that is a variable under torch.compile.
    return tensor.dim() == len(wanted) and all(s == 1 or s == w for s, w in zip(tensor.shape, wanted, strict=True))


def _sample_advice(name: str, tensor: Tensor, wanted: Sequence[int]) -> str:
    if tensor.dim() == 1 and len(wanted) > 1 and tensor.shape[0] == wanted[0]:
        return f" For one number per sample pass {name}.view({', '.join(['-1', *['1'] * (len(wanted) - 1)])})."
    return " Give it that shape."
