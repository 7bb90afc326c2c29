"""Losses of reinforcement learning and of sets of points: clipped policies, temporal differences, Chamfer distances."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near, tensor
from losskit.checker.finding import Found

NEW = Role(
    "new",
    r"(new_?)?(log_?p(rob)?s?|log_?pi|lp|action_?log_?probs?)(_?new|_?cur\w*|_?act\w*)?|new_\w+|curr\w*_log\w*|log_?probs?_new|logp",
)
OLD = Role("old", r"old_?\w*|(log_?p(rob)?s?|log_?pi|logp)_?(old|b\w*|prev\w*)|behaviou?r_\w+|prev_\w+|log_?prob_?old")
ADVANTAGE = Role("advantage", r"adv\w*|a|gae|advantages?")
VALUE = Role("value", r"values?|v|vpred|value_?pred\w*|critic_\w+|new_?values?|state_?values?|baselines?")
RETURNS = Role("return", r"returns?|value_?targets?|target_?values?|ret|rewards?_?to_?go|g|td_?targets?")
ENTROPY = Role("entropy", r"ent(rop(y|ies))?|dist_?entropy|neg_?entropy")
OLD_VALUE = Role("old_value", r"old_?values?")
RETURN = Role("advantage", r"adv\w*|a|returns?|rewards?|r|g|gae|ret")


def clipped(claimed: Claimed) -> Iterator[Found]:
    """The clipped objective at ratios inside and outside, for both signs of the advantage."""
    usual = claimed.option(
        "clip", "eps", "epsilon", "clip_eps", "clip_ratio", "clip_range", "clip_epsilon", "clip_param"
    )
    clip = 0.2 if usual is None else float(usual)
    if not 0 < clip < 1 or claimed.text.claims("dual|truncat"):
        return
    old = torch.zeros(4, dtype=torch.float64)
    rest = {role: 0 * old for role in ("value", "return", "old_value", "entropy") if claimed.has(role)}
    base = None
    for gain in (1.0, -1.0):
        for ratio in (1.0, 1 + 2 * clip, max(1 - 2 * clip, (1 - clip) / 2)):
            new = torch.full((4,), math.log(ratio), dtype=torch.float64)
            given = {"new": new, "old": old, "advantage": torch.full((4,), gain).double(), **rest}
            found = claimed.value(**given)
            right = -min(ratio * gain, min(max(ratio, 1 - clip), 1 + clip) * gain)
            if not math.isfinite(found):
                return
            base = abs(found) if base is None else base  # a normalised advantage has another size
            if base < 1e-6:
                return
            if not near(found, right, 1e-3):
                yield from _misclipped(claimed, given, ratio, gain, found, right, clip)
                return


def clipped_values(claimed: Claimed) -> Iterator[Found]:
    """A value beyond the clip and beyond the return is pulled back: the larger of both errors counts."""
    if not claimed.has("value", "old_value", "return"):
        return
    none = torch.zeros(4, dtype=torch.float64)
    given = {"value": none + 1, "old_value": none, "return": none}
    if not math.isfinite(claimed.total(**given)) or claimed.option("clip_range", "clip", "eps", "clip_eps") == 0:
        return
    slope = float(claimed.slope("value", **given).sum())
    if slope <= 0:
        yield claimed.found(
            "a value of 1 for a return of 0, far from the old value of 0, gets no gradient: the smaller of the "
            "clipped and the plain error counts, not the larger",
            {"slope of the value": slope},
            "torch.max((value - returns) ** 2, (clipped - returns) ** 2).mean()",
            given,
            "value",
        )


def _misclipped(
    claimed: Claimed, given: dict[str, Tensor], ratio: float, gain: float, found: float, right: float, clip: float
) -> Iterator[Found]:
    bounded = min(max(ratio, 1 - clip), 1 + clip)
    what = "is another number"
    if near(found, -right, 1e-3):
        what = "has the opposite sign"
    elif near(found, -max(ratio * gain, bounded * gain), 1e-3):
        what = "is the larger of both terms, not the smaller"
    elif near(found, -bounded * gain, 1e-3):
        what = "is the clipped term alone"
    elif near(found, -ratio * gain, 1e-3):
        what = "is the term without the clip"
    elif near(found, -gain / ratio, 1e-3):
        what = "has the ratio of the old to the new policy"
    else:
        return
    yield claimed.found(
        f"at a ratio of {ratio:g} and an advantage of {gain:g} the objective {what}",
        {"value": found, "by definition": right},
        "ratio = (new - old).exp(); -torch.min(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv).mean()",
        given,
    )


def entropy_bonus(claimed: Claimed) -> Iterator[Found]:
    """More entropy lowers the loss, and the values are pulled towards the returns by their own term alone."""
    base: dict[str, Tensor] = {"new": drawn(6) - 1, "old": drawn(6) - 1, "advantage": drawn(6, seed=1)}
    base |= {"value": drawn(6, seed=2), "return": drawn(6, seed=3), "entropy": drawn(6, seed=4).abs()}
    for columns in (False, True):
        given = {n: v.unsqueeze(1) if columns else v for n, v in base.items() if claimed.has(n)}
        if not math.isfinite(claimed.total(**given)):
            continue
        if "entropy" in given and not re.search("neg", claimed.bound["entropy"].lower()):
            slope = float(claimed.slope("entropy", **given).sum())
            if slope > 1e-9:
                yield claimed.found(
                    "more entropy raises the loss, so it is a penalty, not a bonus",
                    {"slope of the entropy": slope},
                    "policy_loss + value_coef * value_loss - entropy_coef * entropy.mean()",
                    given,
                    "entropy",
                )
                return
        if "value" in given and "new" in given and "return" in given:
            pulls = [claimed.slope("value", **{**given, "new": each}) for each in (given["new"], 2 * given["new"] - 1)]
            if not torch.allclose(pulls[0], pulls[1], rtol=1e-4, atol=1e-9) and not claimed.has("advantage"):
                yield claimed.found(
                    "the values get a gradient from the term of the policy: the advantage is not detached",
                    {
                        "slope of the first value": float(pulls[0].flatten()[0]),
                        "with other log-probabilities": float(pulls[1].flatten()[0]),
                    },
                    "advantage = (returns - values).detach() in the term of the policy.",
                    given,
                    "value",
                )
        return


def advantage_constant(claimed: Claimed) -> Iterator[Found]:
    """An action with a positive advantage becomes more likely."""
    given = {"new": torch.full((4,), -1.0).double(), "advantage": torch.tensor([2.0, 2.0, 1.0, 1.0]).double()}
    if claimed.text.claims(r"normali|baseline|standardi") or claimed.has("old"):
        return
    slope = claimed.slope("new", **given).sum()
    if math.isfinite(float(slope)) and float(slope) >= 0:
        yield claimed.found(
            "actions with a positive return become less likely" if slope > 0 else "log-probabilities get no gradient",
            {"slope": float(slope)},
            "-(log_prob * advantage.detach()).mean()",
            given,
            "new",
        )


# Temporal differences.

Q = Role("q", r"q(_?values?|_?vals?|_?pred|_?online|s)?|q_?s_?a|qsa|pred_?q|values?|current_?q\w*")
ACTION = Role("action", r"actions?|a|acts?")
REWARD = Role("reward", r"rewards?|r|rew")
NEXT = Role("next", r"next_?\w*q\w*|q_?next\w*|target_?q\w*|q_?target\w*|next_?values?|q_?prime|v_?next|next_\w+")
DONE = Role("done", r"dones?|d|terminals?|terminated|is_?done|not_?done|mask")
GAMMA = Role("gamma", r"gamma|discount")


def bootstrapped(claimed: Claimed) -> Iterator[Found]:
    """After the end of an episode the next values do not count, and no gradient reaches them."""
    if not claimed.has("q", "reward", "next", "done") or "not" in claimed.bound["done"].lower():
        return
    q, following = drawn(4, 3), drawn(4, 3, seed=1)
    reward, action = tensor([1.0, 0.5, -1.0, 2.0]), torch.tensor([0, 1, 2, 1])
    for columns in (False, True):
        for wide in (True, False):
            ended = torch.ones(4, dtype=torch.float64)
            given = {"reward": reward, "action": action, "done": ended, "gamma": 0.9}
            given |= {"q": q if claimed.has("action") else q[:, 0], "next": following if wide else following[:, 0]}
            if columns:
                given = {n: v.unsqueeze(1) if isinstance(v, Tensor) and v.dim() == 1 else v for n, v in given.items()}
            if math.isfinite(claimed.total(**given)):
                yield from _after_the_end(claimed, given)
                return


def _after_the_end(claimed: Claimed, given: dict[str, object]) -> Iterator[Found]:
    following = given["next"]
    assert isinstance(following, Tensor)
    assert isinstance(given["done"], Tensor)
    before, after = (claimed.value(**{**given, "next": each}) for each in (following, following + 7))
    ongoing = {**given, "done": 0 * given["done"]}
    running = [claimed.value(**{**ongoing, "next": each}) for each in (following, following + 7)]
    if not near(before, after, 1e-5):
        what = "the values after the end of an episode change the loss"
        if near(running[0], running[1], 1e-5):
            what = (
                "the next values count after the end of an episode and not before it: done is read the other way round"
            )
        yield claimed.found(
            what,
            {"next values plus 7": after, "before": before},
            "reward + gamma * (1 - done) * next_value",
            given,
        )
        return
    pulled = claimed.slope("next", **ongoing)
    if bool(pulled.any()) and pulled.isfinite().all():
        yield claimed.found(
            "the target gets a gradient: the next values are trained towards the current ones",
            {"largest": float(pulled.abs().max())},
            "target = (reward + gamma * (1 - done) * next_value).detach()",
            ongoing,
            "next",
        )


# Sets of points.

CLOUD = Role(
    "one", r"x|p|a|pred\w*|xyz_?1|pc_?1|p_?1|points?_?1|src|source|inputs?|outputs?|s_?1|cloud_?1|recon\w*|y_?pred"
)
OTHER = Role("two", r"y|q|b|targets?|xyz_?2|pc_?2|p_?2|points?_?2|tgt|gt|truth|s_?2|cloud_?2|y_?true|ref\w*")


def chamfer(claimed: Claimed) -> Iterator[Found]:
    """Order does not matter, equal sets have no loss, and a far point of either set has one."""
    points = drawn(2, 5, 3)
    for batched in (True, False):
        base = points if batched else points[0]
        far = torch.cat([base, base[..., :1, :] + 9], -2)
        same = claimed.total(one=base, two=base.flip(-2))
        if not math.isfinite(same):
            continue
        given = {"one": base, "two": base.flip(-2).contiguous()}
        if same > 1e-2:
            yield claimed.found(
                "the same points in another order have a loss",
                {"value": same},
                "distances = torch.cdist(x, y); distances.min(2)[0].mean() + distances.min(1)[0].mean()",
                given,
            )
            return
        for role, other in (("one", "two"), ("two", "one")):
            if claimed.text.claims(r"one.?(sided|way|direction)|single.?(sided|direction)|directed"):
                return
            given = {role: far, other: base}
            cost = claimed.total(**given)
            if math.isfinite(cost) and cost <= same + 1e-3:
                yield claimed.found(
                    f"a point of {claimed.bound[role]} far from all {claimed.bound[other]} has no loss: one direction "
                    "is missing, or both take the least distance over the same dimension",
                    {"value": cost},
                    "distances.min(2)[0].mean() + distances.min(1)[0].mean()",
                    given,
                )
                return
        slope = claimed.slope("one", one=base.float(), two=base.float())
        if not bool(slope.isfinite().all()):
            yield claimed.found(
                "points that coincide have a gradient of NaN: the distance has no slope at 0",
                {"gradient": "NaN"},
                "Square the distances, or clamp them before the square root.",
                {"one": base.float(), "two": base.float()},
                "one",
            )
        return


KEYPOINTS = Role("one", r"pred\w*|x|outputs?|inputs?|kpts?|keypoints?|joints?|pred_?\w*|y_?pred")
JOINTS = Role("two", r"targets?|gt\w*|y|truth|y_?true|target_?\w*")


def joint_distance(claimed: Claimed) -> Iterator[Found]:
    """The error of a joint is the length of its offset: the same in any direction."""
    for size in ((2, 4, 3), (2, 4, 2)):
        truth = torch.zeros(size, dtype=torch.float64)
        straight, slanted = truth.clone(), truth.clone()
        straight[..., 0] = 5.0
        slanted[..., 0], slanted[..., 1] = 3.0, 4.0
        costs = [claimed.total(one=each, two=truth) for each in (straight, slanted)]
        if all(map(math.isfinite, costs)) and costs[0] > 0 and not near(costs[0], costs[1], 1e-3):
            yield claimed.found(
                "an offset of (3, 4) has another loss than one of (5, 0)",
                {"(3, 4)": costs[1], "(5, 0)": costs[0]},
                "(pred - target).norm(dim=-1).mean()",
                {"one": slanted, "two": truth},
            )
            return


_PPO = r"\bppo\b|clipped (surrogate|objective|policy)|proximal policy"
_REINFORCE = r"reinforce|policy gradient|\bpg\b|actor"
CLAIMS = (
    Claim("clipped value loss", r"clip", (OLD_VALUE, VALUE, RETURNS), (clipped_values,)),
    Claim("PPO", _PPO, (NEW, OLD, ADVANTAGE), (clipped,)),
    Claim("PPO", _PPO, (OLD_VALUE, NEW, OLD, ADVANTAGE, VALUE, RETURNS, ENTROPY), (clipped, entropy_bonus)),
    Claim(
        "actor-critic",
        r"actor.?critic|\ba[23]c\b|advantage",
        (NEW, VALUE, RETURNS, ENTROPY),
        (entropy_bonus,),
        unless=r"\bppo\b",
    ),
    Claim("policy gradient", _REINFORCE, (NEW, RETURN), (advantage_constant,), unless="critic"),
    Claim(
        "temporal difference",
        r"\bdqn\b|\btd\b|q ?learning|bellman|temporal difference|deep q",
        (Q, ACTION, REWARD, NEXT, DONE, GAMMA),
        (bootstrapped,),
    ),
    Claim("Chamfer distance", r"chamfer", (CLOUD, OTHER), (chamfer,), ordered=True),
    Claim("MPJPE", r"mpjpe|per.joint position", (KEYPOINTS, JOINTS), (joint_distance,), unless="procrustes|pa mpjpe"),
)
