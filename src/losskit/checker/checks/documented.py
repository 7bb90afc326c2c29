"""Documentation: whether the loss does what its docstring says of its options and tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.ignored import ignored_counts, ignores
from losskit.checker.checks.promises import PROMISES
from losskit.checker.checks.reductions import depends_on_batch
from losskit.checker.checks.statements import STATEMENTS
from losskit.checker.checks.tools import BACKWARD, additive, close, code, is_random, labelled, pull, tried, value
from losskit.checker.finding import Found, Severity
from losskit.checker.registry import check
from losskit.checker.subject import Subject

TEMPERATURES = ("temperature", "tau", "T", "temp", "t")


@check(
    "not-as-documented",
    Severity.WRONG,
    why="Whoever reads the documentation sets its options, and trusts its numbers, for another loss than this one.",
    fix="Change the code, or the docstring if the code is what you mean.",
    consequence_of=("no-graph", "not-finite", "rewards-errors"),
)
def not_as_documented(subject: Subject) -> Iterator[Found]:
    """Does the loss do what its docstring says of its options and tensors?"""
    parts = (_per_sample, _averaged, _over_valid, _sides, _pairs, _temperature, _teacher, _constants, _next_token)
    for part in (*parts, *PROMISES, *STATEMENTS):
        found = next(part(subject), None)
        if found is not None:
            yield found
            return


_OVERLAP = r"dice|iou\b|jaccard|tversky|overlap"
_EACH = (
    r"(each|per|every)[- ](predicted |instance )?(sample|image|item|example|mask|instance|object)\b|samplewise|"
    r"averaged? over the (samples|images|batch|masks|instances)"
)


def _per_sample(subject: Subject) -> Iterator[Found]:
    spec, words = subject.spec, subject.words
    if any(re.match(r"per_?(image|sample|example)", option) for option in spec.options):
        return  # it says when
    if spec.labels and additive(spec) and re.search(_OVERLAP, words.all) and words.say(_EACH):
        for found in depends_on_batch(subject):
            what = f"it is documented per sample, but {found.what}"
            yield Found(
                what, found.evidence, found.repro, None, "Sum over the positions of each sample, not the batch."
            )


_UNITS = (
    r"(batch|samples?|examples?|elements?|instances?|rows|pairs|triplets|tokens|pixels|positions|anchors|lists|items)"
)
_MEAN = rf"\b(averag\w+|mean) (over|of|across|for)\b[^.;:]{{0,40}}?\b{_UNITS}\b|\b(batch|sample) (mean|average)\b"
_IN_ONE = rf"\b(of|per|in|for) (a|an|each|one|every|its) {_UNITS}\b"
_SUM = rf"\b(sum\w*|added|total)\b[^.;:]{{0,40}}?\b{_UNITS}\b|not (averaged|a mean)"


def _averaged(subject: Subject) -> Iterator[Found]:
    """Whether what is documented as a mean over the batch stays the same if all samples occur twice."""
    spec, words = subject.spec, subject.words
    batchwide = re.sub(_IN_ONE, "", " ".join(words.text.split()))
    if spec.way.inside or spec.kind == "sequence" or not words.say(_MEAN) or re.search(_SUM, batchwide, re.IGNORECASE):
        return
    tensors = subject.example(batch=4)
    if any(each.dim() == 0 or len(each) != 4 for each in tensors) or is_random(subject):
        return
    twice, thrice = (tuple(torch.cat([each] * n) for each in tensors) for n in (2, 3))
    once, *costs = (tried(value, subject, *each) for each in (tensors, twice, thrice))
    if once is None or None in costs or not once > 1e-6:
        return
    ratios = [(each or 0.0) / once for each in costs]
    exact = close(ratios[0], 2.0, 1e-3) and close(ratios[1], 3.0, 1e-3)
    if exact or (spec.layout == "groups" and ratios[0] > 3.5 and ratios[1] > 7):
        yield Found(
            f"it is documented as a mean, but a batch in which each sample occurs twice has {ratios[0]:.3g} times the "
            "loss: it grows with the batch",
            {"batch of 4": once, "each sample twice": costs[0]},
            code(subject, *twice),
            None,
            "Divide the sum by the number of samples that are in it.",
        )


_VALID = (
    r"(mean|averag\w+|normali\w+|divid\w+)[^.;]*"
    r"(valid|not ignored|non-ignored|counted|labell?ed|unmasked|remaining|observed|not pad|non.?pad|real token|"
    r"(that|which) (do )?count|!=)"
)


def _over_valid(subject: Subject) -> Iterator[Found]:
    if ignores(subject.spec) and subject.words.say(_VALID):
        for found in ignored_counts(subject):
            what = "it is documented as a mean over what is not ignored, but ignored positions are in the denominator"
            yield Found(what, found.evidence, found.repro, None, "Divide by the number of positions that count.")


# An option, and the labels or errors that it is said to weigh.
_ERRORS = r"(positives?|foreground|false negatives?|fns?|negatives?|background|false positives?|fps?)"
_WEIGHS = rf"\b{{0}}\b[^.;,]{{{{0,40}}}}?\b{_ERRORS}\b"


def _side(subject: Subject, option: str) -> int | None:
    """The label whose errors an option weighs, by the documentation."""
    found = re.search(_WEIGHS.format(re.escape(option)), subject.words.text, re.IGNORECASE)
    if found is None:
        return 1 if option == "pos_weight" else None
    said = found[1].lower()
    if said.startswith(("false", "fn", "fp")):
        return int("neg" in said or said.startswith("fn"))
    return int(said.startswith(("pos", "fore")))


def _sides(subject: Subject) -> Iterator[Found]:
    """Whether an option raises the loss of the errors that it is said to weigh."""
    spec = subject.spec
    if not labelled(spec) or spec.layout in ("signs", "soft"):
        return
    for option in ("alpha", "beta", "pos_weight"):
        side = _side(subject, option) if option in spec.options else None
        if side is None or not isinstance(subject.origin.options.get(option), float):
            continue
        costs = [[_cost_of(subject, label, {option: each}) for each in (0.3, 0.6)] for label in (side, 1 - side)]
        rises = [high / low if low and high and low > 0 else math.nan for low, high in costs]
        if rises[0] < rises[1] * 0.98:
            which = "positives (missed)" if side else "negatives (false positives)"
            yield Found(
                f"{option} is documented to weigh the {which}, but raising it raises the loss of the others",
                {"errors it should weigh": f"x {rises[0]:.3g}", "the others": f"x {rises[1]:.3g}"},
                code(subject, *subject.example(), options={option: 0.6}),
                None,
                f"Exchange {option} and its counterpart.",
            )


def _cost_of(subject: Subject, label: int, options: dict[str, float]) -> float | None:
    """By how much errors at one label raise the loss; for several classes, errors at class 1 or elsewhere."""
    labels = subject.labels(batch=2)
    target = subject.target_of(labels)
    right, wrong = (subject.input_of(labels, 1.5, answer) for answer in (True, False))
    if subject.spec.kind == "multiclass":
        return None
    where = (labels == label).reshape(right.shape)
    costs = [tried(value, subject, each, target, options=options) for each in (torch.where(where, wrong, right), right)]
    return None if costs[0] is None or costs[1] is None else costs[0] - costs[1]


def _pairs(subject: Subject) -> Iterator[Found]:
    """Whether pairs that are documented as similar are pulled together."""
    said = {
        "alike-0": r"\b1\b[^.;,]{0,45}\b(similar|same|positive|match\w*|genuine)\b",
        "alike-1": r"\b1\b[^.;,]{0,25}\b(dissimilar|different|negative|impost\w*)\b",
    }
    pattern = said.get(subject.spec.layout.removesuffix("-column"))
    if pattern is not None and subject.words.say(pattern):
        tensors = subject.example(correct=True)
        yield Found(
            "a label of 1 pulls pairs apart that its documentation calls "
            + (
                "similar"
                if subject.spec.layout.startswith("alike-0")
                else "together that its documentation calls dissimilar"
            ),
            {"value": value(subject, *tensors)},
            code(subject, *tensors, lines=BACKWARD),
            None,
            "Exchange label and 1 - label.",
        )


def _temperature(subject: Subject) -> Iterator[Found]:
    """Whether similarities are divided by the temperature, so that a small one sharpens the softmax."""
    option = next((each for each in TEMPERATURES[:4] if each in subject.spec.options), None)
    if option is None or subject.spec.layout not in ("partners", "groups"):
        return
    tensors = subject.example(correct=True, batch=6)
    costs = [tried(value, subject, *tensors, options={option: each}) for each in (0.1, 4.0)]
    if costs[0] is not None and costs[1] is not None and costs[0] > costs[1] * 1.2 + 0.1:
        yield Found(
            f"a small {option} flattens the softmax: similarities are multiplied by it, not divided",
            {f"correct, {option}=0.1": costs[0], f"correct, {option}=4": costs[1]},
            code(subject, *tensors, options={option: 0.1}),
            None,
            f"Divide by {option}.",
        )


def _teacher(subject: Subject) -> Iterator[Found]:
    """Whether the divergence from a teacher has the documented direction and factor."""
    option = next((each for each in TEMPERATURES if each in subject.spec.options), None)
    if subject.spec.layout not in ("teacher", "teacher-and-labels") or option is None:
        return
    if subject.words.say(r"\b(t|temperature|tau)\s*(\^|\*\*)\s*2|\bt²|temperature squared|squared temperature"):
        found = [_share(subject, {option: each}, each, True) for each in (2.0, 4.0)]
        if None not in found and found[0] and close(found[1] / found[0], 1.0, 0.02):  # type: ignore[operator]
            yield _said(subject, "the factor T^2 is documented, but the divergence is not multiplied by it")
    at = float(subject.origin.options.get(option) or 1.0)
    forward = subject.words.say(r"kl ?\( ?\w*(teacher|target)\w* ?\|\| ?\w*student")
    ratios = [_share(subject, {}, at, straight, seed) for straight in (True, False) for seed in range(3)]
    if forward and None not in ratios:
        fits = [all(close(each, group[0], 1e-3) for each in group) for group in (ratios[:3], ratios[3:])]  # type: ignore[arg-type]
        if fits == [False, True]:
            yield _said(subject, "KL(teacher || student) is documented, but it computes KL(student || teacher)")


def _said(subject: Subject, what: str) -> Found:
    tensors = subject.example()
    fix = "kl_div(log_softmax(student / T), softmax(teacher / T)) * T ** 2"
    return Found(what, {"value": value(subject, *tensors)}, code(subject, *tensors), None, fix)


def _share(subject: Subject, options: dict[str, float], at: float, straight: bool, seed: int = 0) -> float | None:
    """How the loss changes with the teacher, relative to the divergence at a temperature."""
    student, teacher, *others = (t.double() if t.is_floating_point() else t for t in subject.example(seed, batch=4))
    other = teacher.roll(1, 1)
    costs, divergences = [], []
    for each in (teacher, other):
        costs.append(tried(value, subject, student, each, *others, options=options))
        s, t = (x.div(at).log_softmax(1) for x in (student, each))
        p, q = (t, s) if straight else (s, t)
        divergences.append(float((p.exp() * (p - q)).sum()))
    if costs[0] is None or costs[1] is None or abs(divergences[0] - divergences[1]) < 1e-9:
        return None
    return (costs[0] - costs[1]) / (divergences[0] - divergences[1])


_CONSTANT = r"no gradient|without gradient|detach|constant|stop.?grad|not (back)?prop|frozen"


def _constants(subject: Subject) -> Iterator[Found]:
    """Whether a tensor that is documented as a constant gets a gradient."""
    clauses = [
        each for each in re.split(r"[;\n]|\.\s", subject.words.text) if re.search(_CONSTANT, each, re.IGNORECASE)
    ]
    names = subject.parameters
    tensors = subject.example()
    for at, name in enumerate(names[: len(tensors)]):
        place = subject.place(at)
        said = any(re.search(rf"(into|through|for|to) (the )?{re.escape(name)}\b", each) for each in clauses)
        if said and place and tensors[place].is_floating_point():
            found = pull(subject, *tensors, of=place)
            if found.finite and found.gradient.any():
                yield Found(
                    f"{name} is documented to get no gradient, but it gets one",
                    {"largest": float(found.gradient.abs().max())},
                    code(subject, *tensors),
                    None,
                    f"{name}.detach() where it enters the constant.",
                )


def _next_token(subject: Subject) -> Iterator[Found]:
    """Whether a token is predicted at the position before it, if the documentation says so."""
    spec = subject.spec
    if not (spec.kind == "multiclass" and spec.way.last and spec.indices):
        return
    if subject.words.say(r"\bt ?\+ ?1\b|shift\w* (inside|here|internally|by one)|next token"):
        labels = torch.arange(8).reshape(1, 8) % spec.classes
        if not spec.takes_spatial(1):
            return
        target = subject.target_of(labels)
        own, before = (subject.input_of(each, 4.0, True) for each in (labels, labels.roll(-1, 1)))
        costs = value(subject, own, target), value(subject, before, target)
        if costs[0] < 0.05 * costs[1]:
            yield Found(
                "each position is compared with its own token, not with the next one",
                {"own token": costs[0], "next token": costs[1]},
                code(subject, own, target),
                None,
                "logits[:, :-1] and labels[:, 1:], unless the caller shifts the labels.",
            )
