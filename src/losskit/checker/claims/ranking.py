"""Losses of ranked items: pairs of scores, lists, and times of events."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near, tensor
from losskit.checker.finding import Found
from losskit.checker.origin import call_parameters

POS = Role(
    "pos",
    r"(pos(itive)?s?|p|chosen|winner)(_?(scores?|items?_?scores?|logits?|out|pred\w*|sim\w*))?|s_?pos|s_?p|scores?_?pos\w*|pred_?pos\w*|x_?ui|s_?i|scores?_?i",
)
NEG = Role(
    "neg",
    r"(neg(ative)?s?|n|rejected|loser)(_?(scores?|items?_?scores?|logits?|out|pred\w*|sim\w*))?|s_?neg|s_?n|scores?_?neg\w*|pred_?neg\w*|x_?uj|s_?j|scores?_?j",
)


def _level(size: tuple[int, ...], value: float) -> Tensor:
    return torch.full(size, value)


def pair_order(claimed: Claimed) -> Iterator[Found]:
    """A pair in the wrong order has a finite loss and gradient, however far apart; both scores count equally."""
    for size in ((4,), (4, 1)):
        fair = {"pos": _level(size, 0.3), "neg": _level(size, 0.1)}
        if not math.isfinite(claimed.total(**fair)):
            continue
        either = claimed.bound["pos"].lower().endswith("i")  # either item may be the better one
        far = {"pos": _level(size, -120.0), "neg": _level(size, 120.0)}
        if either and math.isfinite(claimed.value(**far)):
            far = {"pos": far["neg"], "neg": far["pos"]}
        loss, slope = claimed.value(**far), claimed.slope("pos", **far)
        if not math.isfinite(loss) or not bool(slope.isfinite().all()):
            yield claimed.found(
                "a pair in the wrong order by 240 has a loss or gradient that is not finite: log(sigmoid(x)) in two "
                "steps takes the logarithm of 0",
                {"loss": loss, "gradient": float(slope.flatten()[0])},
                "-F.logsigmoid(pos - neg), or F.softplus(neg - pos).",
                far,
                "pos",
            )
            return
        if either:
            return
        pulls = [float(claimed.slope(each, **fair).sum()) for each in ("pos", "neg")]
        if pulls[0] > 0 or pulls[1] < 0:
            yield claimed.found(
                "a higher score of the positive raises the loss"
                if pulls[0] > 0
                else "a higher score of the negative lowers it",
                {"slope of pos": pulls[0], "slope of neg": pulls[1]},
                "The loss of pos - neg must fall as it grows.",
                fair,
                "pos",
            )
        return


POS_DISTANCE = Role("pos", r"(pos(itive)?_?|d_?)(dist\w*|energ\w*|pos|ap|p)|dist\w*_(pos\w*|ap)|(pos\w*)_d")
NEG_DISTANCE = Role("neg", r"(neg(ative)?_?|d_?)(dist\w*|energ\w*|neg|an|n)|dist\w*_(neg\w*|an)|(neg\w*)_d")


def pair_distances(claimed: Claimed) -> Iterator[Found]:
    """The distance of a positive is lowered, that of a negative raised."""
    if not re.search("dist|energ|d_?(ap|an|pos|neg)", claimed.bound["pos"].lower()):
        return
    for size in ((4,), (4, 1)):
        given = {"pos": torch.full(size, 1.0), "neg": torch.full(size, 0.9)}
        if not math.isfinite(claimed.total(**given)):
            continue
        pulls = [float(claimed.slope(each, **given).sum()) for each in ("pos", "neg")]
        if pulls[0] < 0 or pulls[1] > 0:
            yield claimed.found(
                "a larger distance of the positive lowers the loss"
                if pulls[0] < 0
                else "a larger distance of the negative raises the loss",
                {"slope of the positive": pulls[0], "slope of the negative": pulls[1]},
                "relu(margin + positive_distance - negative_distance)",
                given,
                "pos",
            )
        return


SCORES = Role("scores", r"scores?|logits?|inputs?|pred\w*|y_?pred\w*|x|s|outputs?|preds?|y_?hat")
GRADES = Role("grades", r"labels?|targets?|rel\w*|y_?true|grades?|y|gains?|truth|gt")
MASK = Role("mask", r"\w*mask\w*|valid\w*")


def _list(claimed: Claimed) -> dict[str, Tensor] | None:
    """Lists without ties that it accepts."""
    scores, grades = drawn(2, 5), tensor([[4.0, 0.0, 2.0, 1.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    for kind in (torch.float64, torch.int64):
        given: dict[str, Tensor] = {"scores": scores, "grades": grades.to(kind)}
        if claimed.has("mask"):
            given["mask"] = torch.ones(2, 5, dtype=torch.bool)
        if math.isfinite(claimed.total(**given)):
            return given
        one = {name: each[0] for name, each in given.items()}
        if math.isfinite(claimed.total(**one)):
            return one
    return None


def list_shift(claimed: Claimed) -> Iterator[Found]:
    """One number added to all scores of a list changes nothing, nor does another order of its items."""
    given = _list(claimed)
    if given is None:
        return
    before = claimed.value(**given)
    shifted = claimed.value(**{**given, "scores": given["scores"] + 2.5})
    if not near(shifted, before, 1e-4):
        yield claimed.found(
            "one number added to all scores of a list changes the loss, so it does not depend on their order alone",
            {"plus 2.5": shifted, "before": before},
            "Normalise over the items of a list, the last dimension.",
            given,
        )
        return
    order = torch.tensor([2, 4, 0, 3, 1])
    moved = {name: each[..., order].contiguous() for name, each in given.items()}
    after = claimed.value(**moved)
    if not near(after, before, 1e-4):
        yield claimed.found(
            "the same items in another order have another loss",
            {"another order": after, "before": before},
            "Sort the scores by the grades: scores.gather(-1, grades.argsort(-1, descending=True)).",
            moved,
        )


def list_padding(claimed: Claimed) -> Iterator[Found]:
    """The score and grade of a padded item change neither the loss nor a gradient."""
    given = _list(claimed)
    if given is None or not claimed.has("mask"):
        return
    keep = given["mask"].clone()
    keep[..., 3:] = False
    wide = {**given, "mask": keep}
    short = {name: each[..., :3].contiguous() for name, each in given.items()}
    marks_padding = not near(claimed.value(**wide), claimed.value(**short), 1e-4)
    flipped = {**given, "mask": ~keep}, {**short, "mask": torch.zeros_like(short["mask"])}
    if marks_padding and near(claimed.total(**flipped[0]), claimed.total(**flipped[1]), 1e-4):
        return
    moved = {**wide, "scores": torch.where(keep, given["scores"], given["scores"] + 30)}
    padded, alone = claimed.value(**wide), claimed.value(**short)
    louder = claimed.value(**moved)
    if not near(louder, padded, 1e-4) or (not near(padded, alone, 1e-3) and claimed.text.claims("listmle|list mle")):
        yield claimed.found(
            "padded items change the loss of a list: they are in the sum of exponentials",
            {"with two padded items": padded, "without them": alone},
            "scores.masked_fill(~mask, float('-inf')), or the smallest finite number, before logsumexp; not 0.",
            wide,
        )


_PAD = re.compile(r"pad|ignore|missing")
_SAID = r"(-\d+)\W+(=|is|are|for|marks?|means?)?\W*(\w+ )?pad|pad\w*[^.;\n]{0,40}?(-\d+)\b"


def _grade_of_padding(claimed: Claimed) -> float | None:
    """The grade that marks an item as padding: an option with such a name, or as documented."""
    parameters = {each.name: each.default for each in call_parameters(claimed.subject.build())}
    for name, default in {**parameters, **claimed.subject.origin.options}.items():
        if _PAD.search(name.lower()) and isinstance(default, (int, float)) and not isinstance(default, bool):
            return float(default)
    said = re.search(
        r"(-\d+)\W+(=|is|are|for|marks?|means?)?\W*(\w+ )?pad|pad\w*[^.;\n]{0,40}?(-\d+)\b", claimed.text.said
    )
    return None if said is None else float(said[1] or said[4])


def graded_padding(claimed: Claimed) -> Iterator[Found]:
    """Items whose grade marks padding change nothing: neither their scores nor their number."""
    given, grade = _list(claimed), _grade_of_padding(claimed)
    if given is None or grade is None or grade >= 0 or claimed.has("mask") or given["scores"].dim() < 2:
        return
    real = {name: each[:, :3].contiguous() for name, each in given.items()}
    alone = claimed.value(**real)
    padded = {**given, "grades": given["grades"].clone()}
    padded["grades"][:, 3:] = grade
    costs = []
    for score in (0.0, 3.0, -3.0):
        padded["scores"] = torch.cat([real["scores"], torch.full_like(given["scores"][:, 3:], score)], 1)
        costs.append(claimed.value(**padded))
    diluted = alone * 3 / 5  # the mean over all items
    same = any(all(near(each, right, 1e-4, 1e-5) for each in costs) for right in (alone, diluted))
    if all(map(math.isfinite, [alone, *costs])) and not same:
        yield claimed.found(
            f"items with the grade {grade:g}, which marks padding, change the loss of a list: they are in its sums",
            {"with two padded items": costs[0], "without them": alone},
            "masked_fill(grades == padding, float('-inf')) before logsumexp, not 0; divide by the real items.",
            padded,
        )


def list_mle(claimed: Claimed) -> Iterator[Found]:
    """The negative log-probability of the order of the grades."""
    given = _list(claimed)
    if given is None:
        return
    scores, grades = given["scores"].reshape(-1, 5), given["grades"].reshape(-1, 5)

    def likelihood(lists: Tensor, backward: bool = False) -> float:
        sorted_ = lists.gather(1, grades.argsort(1, descending=not backward))
        return float((sorted_.flip(1).logcumsumexp(1).flip(1) - sorted_).sum(1).mean())

    others = [scores, 2 * scores, -scores, drawn(*scores.shape, seed=5)]
    costs = [claimed.value(**{**given, "scores": each.reshape(given["scores"].shape)}) for each in others]
    rights, reversed_ = ([likelihood(each, back) for each in others] for back in (False, True))
    if not all(map(math.isfinite, costs)):
        return

    def matches(wanted: list[float]) -> bool:
        scale = costs[0] / wanted[0]
        return scale > 0 and all(near(cost, scale * each, 0.01) for cost, each in zip(costs, wanted, strict=True))

    if not matches(rights):
        what = (
            "it is the likelihood of the reversed order: the worst item is ranked first"
            if matches(reversed_)
            else "it is not the negative log-probability of the order of the grades"
        )
        yield claimed.found(
            what,
            {"value": costs[0], "by definition": rights[0]},
            "s = scores sorted by grade, the highest first; (s.flip(1).logcumsumexp(1).flip(1) - s).sum(1)",
            given,
        )


# Times of events.

RISK = Role(
    "risk",
    r"risks?|log_?ha?z\w*|hazards?|pred\w*|scores?|log_?h|inputs?|theta|outputs?|log_?risks?|risk_?scores?|lph|eta",
)
TIME = Role("time", r"times?|durations?|t|y|survival_?times?")
EVENT = Role("event", r"events?|e|status|observed|event_?observed|delta|censor\w*|event_?indicators?")


def cox(claimed: Claimed) -> Iterator[Found]:
    """The partial likelihood of Cox without ties."""
    risk = drawn(7)
    time, event = tensor([3.0, 1.0, 6.0, 2.0, 5.0, 4.0, 7.0]), tensor([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    if "censor" in claimed.bound["event"].lower():
        return
    for columns in _columns(claimed):
        every = zip((risk, time, event), columns, strict=True)
        tensors = [each.unsqueeze(1) if column else each for each, column in every]
        given = dict(zip(("risk", "time", "event"), tensors, strict=True))
        if not math.isfinite(claimed.total(**given)):
            continue
        others = [risk, 2 * risk, -risk, drawn(7, seed=3)]
        costs = [claimed.value(**{**given, "risk": each.reshape(tensors[0].shape)}) for each in others]
        rights = [_partial(each, time, event, True) for each in others]
        earlier = [_partial(each, time, event, False) for each in others]
        for wanted, what in (
            (rights, ""),
            (earlier, "the risk set holds the samples that left earlier, not those at risk"),
        ):
            if (
                all(near(c, costs[0] / wanted[0] * w, 0.01) for c, w in zip(costs, wanted, strict=True))
                and costs[0] > 0
            ):
                if what:
                    break
                yield from _overflows(claimed, given)
                return
        else:
            what = "it is not the partial likelihood: the logarithm of the summed exponentials over those still at risk"
        if claimed.text.claims("cox|partial (log )?likelihood"):
            yield claimed.found(
                what,
                {"value": costs[0], "by definition (mean over events)": rights[0] / 5},
                "By falling time: log_risk = risk.logcumsumexp(0); -((risk - log_risk) * event).sum() / event.sum()",
                given,
            )
        return


def _columns(claimed: Claimed) -> list[tuple[bool, ...]]:
    """Which of risk, time and event are columns (N, 1): as documented, or all and none, the more likely first."""
    shapes = [claimed.subject.words.shapes.get(claimed.bound[each]) for each in ("risk", "time", "event")]
    if all(shapes):
        return [tuple(each is not None and each[1:] == ("1",) for each in shapes)]
    said = claimed.text.says(r"column|\[(n|b|batch), ?1\]|\((n|b|batch\w*), ?1\)")
    return [(said,) * 3, (not said,) * 3]


def _partial(risk: Tensor, time: Tensor, event: Tensor, later: bool) -> float:
    at_risk = time.unsqueeze(0) >= time.unsqueeze(1) if later else time.unsqueeze(0) <= time.unsqueeze(1)
    sums = risk.unsqueeze(0).masked_fill(~at_risk, -math.inf).logsumexp(1)
    return float(((sums - risk) * event).sum())


def _overflows(claimed: Claimed, given: dict[str, Tensor]) -> Iterator[Found]:
    far = {name: each.float() for name, each in given.items()}
    far["risk"] = far["risk"] + 100.0
    loss, slope = claimed.value(**far), claimed.slope("risk", **far)
    if not math.isfinite(loss) or not bool(slope.isfinite().all()):
        yield claimed.found(
            "risks of about 100 overflow: exponentials are summed before the logarithm",
            {"loss": loss},
            "torch.logcumsumexp(risk, 0), or subtract the largest risk first.",
            far,
            "risk",
        )


_LISTS = (SCORES, GRADES, MASK)
CLAIMS = (
    Claim(
        "margin of distances", r"dist|energy|trans ?e|margin|triplet", (POS_DISTANCE, NEG_DISTANCE), (pair_distances,)
    ),
    Claim(
        "ranking loss of pairs",
        r"\bbpr\b|bayesian personali|pairwise|rank ?net|\bpair\b|link pred|recommend|preference|reward model",
        (POS, NEG),
        (pair_order,),
        unless=r"dist(ance)?s?\b|energy|trans ?e\b|embedding",
    ),
    Claim("ListMLE", r"list ?mle", _LISTS, (list_padding, graded_padding, list_mle, list_shift)),
    Claim(
        "ListNet",
        r"list ?net|listwise softmax|softmax rank",
        _LISTS,
        (list_shift, list_padding, graded_padding),
        unless="list ?mle",
    ),
    Claim("listwise ranking loss", r"ndcg|lambda ?(rank|loss)|listwise|slate", _LISTS, (graded_padding,)),
    Claim("Cox partial likelihood", r"\bcox\b|partial (log )?likelihood|deep ?surv", (RISK, TIME, EVENT), (cox,)),
)
