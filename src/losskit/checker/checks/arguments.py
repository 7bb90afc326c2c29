"""Arguments: every accepted argument has an effect, and the usual one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.checks.dead import dead_options, ends_loop, last_of_loop, overwritten
from losskit.checker.checks.effects import (
    CLASS_WEIGHTS,
    class_numbers,
    has_effect,
    helped,
    lists_without_effect,
    trials,
)
from losskit.checker.checks.several_tensors import tensors_without_effect
from losskit.checker.checks.tools import (
    BACKWARD,
    built,
    close,
    code,
    keeps_state,
    labelled,
    pull,
    require_steady,
    result,
    tried,
    value,
)
from losskit.checker.finding import Found, Severity
from losskit.checker.listening import graph_ends, heard
from losskit.checker.origin import CannotRebuild
from losskit.checker.registry import check
from losskit.checker.subject import LossRaised, Subject


@check(
    "unused-argument",
    Severity.WRONG,
    why="Someone sets it, sees no error, and believes that it works.",
    fix="Use the argument or delete it.",
    consequence_of=("no-graph", "unread-argument"),
)
def unused_argument(subject: Subject) -> Iterator[Found]:
    """Does every accepted argument change something?"""
    examples = [subject.example(seed, batch=3) for seed in range(3)]
    if subject.spec.labels:
        examples.append(subject.example(batch=3, correct=False, scale=3.0))  # large errors everywhere
    elif subject.spec.layout.startswith("several"):
        examples.append(subject.example(batch=12))  # flags and weights of few samples may leave none
    elif subject.spec.kind == "pairs":
        examples.append(subject.example(batch=6, scale=0.1))  # distances within a margin
    before = [value(subject, *each) for each in examples]
    if not all(map(math.isfinite, before)):
        return
    lost, variable = overwritten(subject.build())
    if lost:
        said = " and ".join(lost)
        what = f"{said} {'changes' if len(lost) == 1 else 'change'} nothing: {variable} is assigned anew after them"
        yield Found(what, {"value": before[0]}, code(subject, *examples[0]), None, f"{variable} = {variable} + ...")
    if loop := last_of_loop(subject.build()):
        what = f"a loop assigns {loop} anew each time: only its last round counts"
        yield Found(what, {"value": before[0]}, code(subject, *examples[0]), None, f"{loop} = {loop} + ...")
    if ends_loop(subject.build()):
        what = "a loop returns in its first round: only its first part counts"
        yield Found(what, {"value": before[0]}, code(subject, *examples[0]), None, "Return after the loop.")
    if keeps_state(subject):
        return  # what the first call does not use, later ones may
    yield from _without_effect(subject, examples, before)
    yield from _dead(subject, examples, before)
    yield from lists_without_effect(subject, examples, before)
    yield from _without_slope(subject, examples)
    yield from tensors_without_effect(subject, examples[0], before[0])
    yield from _at_the_call(subject, examples[0], before[0])


def _without_effect(subject: Subject, examples: list[tuple[Tensor, ...]], before: list[float]) -> Iterator[Found]:
    """Options of known meaning that change nothing, also together with others."""
    for option, others in (trials(subject.spec) | _per_class(subject)).items():
        if option not in subject.spec.options:
            continue
        effects = [has_effect(subject, option, other, examples, before) for other in others]
        if False in effects and True not in effects and not helped(subject, option, others, examples):
            yield Found(
                f"{option} is accepted and changes nothing",
                {"value": before[0], f"with {option}": before[0]},
                code(subject, *examples[0], options={option: others[effects.index(False)]}),
            )


def _per_class(subject: Subject) -> dict[str, list[Any]]:
    """Weights of classes for the options that are documented to be numbers of classes."""
    spec = subject.spec
    if spec.kind != "multiclass":
        return {}
    numbers = class_numbers(spec.classes)
    said = r"\b{}\b[^;\n]{{0,60}}?\bweights?\b[^.;\n]{{0,30}}\b(per|each|every) class"
    documented = [each for each in spec.options if subject.words.say(said.format(re.escape(each)))]
    return {each: [numbers, numbers.tolist()] for each in documented}


def _others_than(default: Any) -> list[Any]:
    """Other numbers, or lists of numbers, than the value of an option."""
    if isinstance(default, (list, tuple)) and default and all(isinstance(each, (int, float)) for each in default):
        return [[2.0 * each + 1 for each in default], [each / 2 for each in default]]
    if isinstance(default, bool) or not isinstance(default, (int, float)):
        return []
    return [type(default)(each) for each in (2 * default + 1, default / 2)]


def _dead(subject: Subject, examples: list[tuple[Tensor, ...]], before: list[float]) -> Iterator[Found]:
    """Options that no code reads, and that change nothing."""
    for option in sorted(dead_options(subject.build()) - set(trials(subject.spec))):
        default = getattr(subject.origin, "given", {}).get(option, subject.origin.options.get(option))
        tried_ = _others_than(default)
        effects = [has_effect(subject, option, each, examples, before) for each in tried_]
        if False in effects and True not in effects:
            other = tried_[effects.index(False)]
            yield Found(
                f"{option} is stored and never read: it changes nothing",
                {"value": before[0], f"with {option}={other}": before[0]},
                code(subject, *examples[0], options={option: other}),
            )


def _slopes(subject: Subject, tensors: tuple[Tensor, ...], options: dict[str, Any]) -> list[Tensor]:
    """The gradients with respect to all tensors of numbers."""
    places = [at for at, each in enumerate(tensors) if each.is_floating_point()]
    found = [tried(pull, subject, *tensors, of=at, options=options) for at in places]
    return [each.gradient for each in found if each is not None]


def _without_slope(subject: Subject, examples: list[tuple[Tensor, ...]]) -> Iterator[Found]:
    """The numeric options that change the value but no gradient."""
    if not subject.spec.meant:
        return
    for option, default in subject.origin.options.items():
        if not isinstance(default, float) or option not in subject.spec.options or option in trials(subject.spec):
            continue
        if re.search(r"free|floor|min|max|cl[ia]mp?|bits|capacity|thresh|margin", option):
            continue  # a bound, below which nothing has a gradient
        other = {option: 2 * default + 0.25}
        changed = [tried(pull, subject, *each, options=other) for each in examples]
        before = [pull(subject, *each) for each in examples]
        pairs = [(now, then) for now, then in zip(changed, before, strict=True) if now is not None]
        rises = [float(now.value - then.value) for now, then in pairs]
        level = all(close(each, rises[0], 1e-3) for each in rises)  # a constant, such as a margin
        same = all(torch.allclose(now.gradient, then.gradient, 1e-6, 1e-9) for now, then in pairs)
        if same and len(subject.spec.tensors) > 2:  # the option may weigh a term of another tensor
            slopes = [_slopes(subject, examples[0], given) for given in (other, {})]
            same = all(torch.allclose(now, then, 1e-6, 1e-9) for now, then in zip(*slopes, strict=False))
        if len(pairs) == len(examples) and not level and same and pairs[0][0].gradient.any():
            ends = graph_ends(heard(subject, *examples[0]))
            at = f": the graph of its term ends at {', '.join(ends[:2])}" if ends else ""
            yield Found(
                f"{option} changes the value and no gradient{at}",
                {"value": float(pairs[0][1].value), f"with {option}={other[option]:g}": float(pairs[0][0].value)},
                code(subject, *examples[0], options=other, lines=BACKWARD),
            )


def _unchanged(subject: Subject, tensors: tuple[Tensor, ...], option: str, given: Tensor) -> bool:
    """Whether an argument of the call changes nothing, for these tensors and others."""
    for each in (tensors, *(subject.example(seed, batch=len(tensors[0])) for seed in range(4, 8))):
        plain = tried(value, subject, *each)
        found = tried(value, subject, *each, **{option: given})
        if plain is None or found is None or not close(found, plain, 1e-6, 1e-9):
            return False
    return True


def _at_the_call(subject: Subject, tensors: tuple[Tensor, ...], before: float) -> Iterator[Found]:
    """The arguments of the call that weight or leave out elements."""
    target = tensors[-1] if subject.spec.labels else tensors[0]
    weight = torch.linspace(0.2, 2.0, target.numel()).reshape(target.shape)
    known = {"weight": weight, "weights": weight, "sample_weight": weight, "mask": weight > 1}
    for option, given in known.items():
        if option not in subject.spec.arguments:
            continue
        if any(each.per_sample for each in subject.spec.way.extras):
            given = torch.linspace(0.2, 2.0, len(target)) if given is weight else torch.arange(len(target)) > 0
        found = tried(value, subject, *tensors, **{option: given})
        others = [given, given.flip(0), given.flip(-1), *([given[..., 0]] if given.dim() > 1 else [])]
        if found is not None and all(_unchanged(subject, tensors, option, each) for each in others):
            left_out = ": masked elements count like the others" if option == "mask" else ""
            yield Found(
                f"{option}= at the call is accepted and changes nothing{left_out}",
                {"value": before, f"with {option}": found},
                code(subject, *tensors, arguments={option: given}),
            )


@check(
    "weight-is-not-repetition",
    Severity.PROPERTY,
    why="The size of the loss and of each step depends on the scale of the weights.",
    fix="Divide by the sum of the weights of the counted elements.",
    consequence_of=("unused-argument",),
    applies=lambda spec: "weight" in spec.arguments and spec.two,
)
def weight_is_not_repetition(subject: Subject) -> Iterator[Found]:
    """Is a weight of 2 the same as the element or sample twice?"""
    require_steady(subject)
    rows = bool(subject.spec.spatial) and subject.spec.labels
    tensors = subject.example(batch=1 if rows else 3)
    target = tensors[-1] if subject.spec.labels else tensors[0]
    weight = torch.ones(target.shape)
    weight[(..., 0) if rows else 0] = 2
    twice = [torch.cat([t, t[..., :1] if rows else t[:1]], -1 if rows else 0) for t in tensors]
    found, right = tried(value, subject, *tensors, weight=weight), value(subject, *twice)
    if found is not None and not close(found, right):
        yield Found(
            "a weight of 2 is not the same as the element or sample twice",
            {"weight 2": found, "twice": right},
            code(subject, *tensors, arguments={"weight": weight}),
        )


@check(
    "unit-weights",
    Severity.PROPERTY,
    why="Turning class weights on changes the scale of the loss, and with it the best learning rate.",
    fix="Divide by the sum of the weights of the counted elements.",
    consequence_of=("unused-argument",),
    applies=lambda spec: labelled(spec) and any(each in spec.options for each in CLASS_WEIGHTS),
)
def unit_weights(subject: Subject) -> Iterator[Found]:
    """Are class weights of 1 the same as no weights?"""
    tensors = subject.example(batch=3)
    before = value(subject, *tensors)
    for option in CLASS_WEIGHTS:
        if option in subject.spec.options:
            ones = torch.ones(subject.spec.classes)
            found = tried(value, subject, *tensors, options={option: ones})
            if found is not None and not close(found, before):
                yield Found(
                    f"{option} of ones is not the same as no weights",
                    {"ones": found, "none": before},
                    code(subject, *tensors, options={option: ones}),
                )


@check(
    "weights-of-any-length",
    Severity.TRAP,
    why="Weights for another data set, or without one for the background, are applied to the wrong classes.",
    fix="Raise unless there is exactly one weight per class.",
    consequence_of=("unused-argument",),
    applies=lambda spec: labelled(spec) and spec.classes > 1 and any(each in spec.options for each in CLASS_WEIGHTS),
)
def weights_of_any_length(subject: Subject) -> Iterator[Found]:
    """Are class weights of the wrong length refused?"""
    tensors = subject.example()
    for option in CLASS_WEIGHTS:
        if option in subject.spec.options:
            for length in (subject.spec.classes + 1, subject.spec.classes - 1):
                options = {option: class_numbers(length)}
                found = tried(value, subject, *tensors, options=options)
                if found is not None and math.isfinite(found):
                    what = f"accepts {length} {option} for {subject.spec.classes} classes and returns a number"
                    yield Found(what, {"value": found}, code(subject, *tensors, options=options))
                    return


@check(
    "weights-stay-behind",
    Severity.CONVENIENCE,
    why="criterion.to('cuda') leaves them on the CPU and the first call fails; state_dict omits them too.",
    fix="self.register_buffer('weight', weight)",
    applies=lambda spec: any(each in spec.options for each in (*CLASS_WEIGHTS, "pos_weight")),
)
def weights_stay_behind(subject: Subject) -> Iterator[Found]:
    """Do class weights move with the module?"""
    tensors = [t.to("meta") for t in subject.example()]
    if not isinstance(subject.build(), nn.Module) or not _runs(subject, tensors, {}):
        return
    for option in (*CLASS_WEIGHTS, "pos_weight"):
        options = {option: class_numbers(subject.spec.classes)}
        known = option in subject.spec.options
        here = tried(result, subject, *subject.example(), options=options) if known else None
        if here is not None and _left(subject, options) and not _runs(subject, tensors, options):
            lines = ('criterion.to("meta")', f"print(criterion.{option}.device)  # not moved")
            yield Found(f"{option} does not move with the module", "", code(subject, options=options, lines=lines))
            return


def _left(subject: Subject, options: dict[str, Any]) -> bool:
    """Whether a tensor is a plain attribute, which `to` does not move."""
    moved: Any = built(subject, options)
    inner = moved.to("meta").modules()
    return any(isinstance(held, Tensor) and not held.is_meta for each in inner for held in vars(each).values())


def _runs(subject: Subject, tensors: list[Tensor], options: dict[str, Any]) -> bool:
    """Whether the loss runs on another device after it was moved there."""
    try:
        criterion: Any = built(subject, options)
        subject.call(criterion.to("meta"), *tensors)
    except (LossRaised, CannotRebuild):
        return False
    return True
