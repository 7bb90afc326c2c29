"""Critics of reinforcement learning: projected returns, implicit Q-learning, own temperatures, masked advantages."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.agents import DONE, REWARD, continues
from losskit.checker.references.formulas.policies import ADVANTAGE, DISCOUNT, NEW
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole

ATOMS = 5
_DIST = r"_?(dist\w*|logits?|probs?|log_?p\w*|log_?probs?|p|atoms|pmf\w*)"


def returns(seed: int, *size: int) -> dict[str, Any]:
    done = torch.tensor([1.0, 0.0, 1.0, 0.0])
    reward = torch.where(done > 0, real(seed, 4).round(), real(seed, 4))  # the ends of episodes fall on atoms
    made: dict[str, Any] = {"reward": reward, "done": done, "support": torch.linspace(-2.0, 2.0, ATOMS).double()}
    made["x"], made["y"] = (share(seed + n, 4, *size, ATOMS).softmax(-1) for n in (1, 2))
    return {**made, "w": share(seed + 3, 4), **({"action": whole(seed, 3, 4)} if size else {})}


@reference(
    "the loss of projected returns",
    r"\bc51\b|categorical (dqn|td|q|return)|distributional (dqn|q|rl|bellman)|projected (bellman|return|distribution)",
    {
        "y": rf"(target_?)?next(_?(q|target))?{_DIST}|(target|tgt){_DIST}|(q_?)?{_DIST}_?(next|target)|next_(q|z)",
        "x": rf"(pred\w*|current|online|q)?{_DIST}|x|pred\w*|q",
        "action": r"a|actions?|act",
        "reward": REWARD,
        "done": DONE,
        "support": r"support|atoms?|z|supports",
        "w": r"(is_?)?weights?|w",
    },
    lambda s: returns(s, 3),
    lambda s: returns(s),
    lambda s: {**returns(s), "done": returns(s)["done"].bool()},
    options=[
        DISCOUNT,
        Option("low", r"v_?min|z_?min|q_?min", -2.0, (-10.0,)),
        Option("high", r"v_?max|z_?max|q_?max", 2.0, (10.0,)),
        Option("count", r"((num|n)_?)?atoms(_?(num|n))?|n_?quant\w*|n", ATOMS, (51,)),
    ],
    optional=("action", "support", "w"),
    trained=("x",),
    unless=r"quantile|qr ?dqn|iqn|huber|double",
)
def projected(g: Given, pick: Pick) -> Any:
    rows = torch.arange(len(g.x))
    if not g.has("support") and not (g.bound("low") and g.bound("high")):
        raise ValueError("no range")
    low, high = (-2.0, 2.0) if g.has("support") else (g.low, g.high)
    z = torch.linspace(low, high, ATOMS, dtype=torch.float64)
    y = g.y if g.called("y", r"prob|dist|pmf|_p$") else g.y.softmax(-1)
    if y.dim() == 3:
        y = y[rows, (y * z).sum(-1).argmax(1)]
    at = (g.reward[:, None] + g.gamma * continues(g).double()[:, None] * z).clamp(low, high)
    near = (1 - (at[:, :, None] - z).abs() / (z[1] - z[0])).clamp(0, 1)
    aim = (y[:, :, None] * near).sum(1)
    kind = "log" if g.called("x", "log_?p") else "softmax" if g.called("x", "logit") else pick("softmax", "share")
    x = g.x[rows, g.action] if g.has("action") and g.x.dim() == 3 else g.x
    each = -(aim * {"log": x, "softmax": x.log_softmax(-1), "share": x.log()}[kind]).sum(1)
    each = each + pick(0.0, torch.special.xlogy(aim, aim).sum(1))
    return (each * g.w).mean() if g.has("w") else each.mean()


def values(seed: int, *size: int) -> dict[str, Any]:
    return {name: real(seed + n, *size) for n, name in enumerate(("v", "q1", "q2"))}


Q1 = r"(target_?)?(q|qf|critic)_?(1|a)(_?(pred|value\w*|target|sa))?|q_?target_?1"
Q2 = r"(target_?)?(q|qf|critic)_?(2|b)(_?(pred|value\w*|target|sa))?|q_?target_?2"


@reference(
    "the expectile loss of two critics",
    r"expectile|\biql\b|implicit q",
    {"v": r"v|values?|vf|v_?(pred|s|net\w*)|value_pred\w*", "q1": Q1, "q2": Q2},
    lambda s: values(s, 6),
    lambda s: values(s, 6, 1),
    options=[Option("level", r"tau|expectile\w*|quantile|q|level|alpha", 0.8, (0.7, 0.9), True)],
    unless=r"critic loss|actor|policy loss",
)
def expectile_of_critics(g: Given, pick: Pick) -> Any:
    error = pick.maybe_detached(torch.minimum(g.q1, g.q2)) - g.v
    return ((g.level - (error < 0).double()).abs() * error.square()).mean()


def own_temperature(seed: int, *size: int) -> dict[str, Any]:
    return {name: real(seed + n, *size) for n, name in enumerate(("logp", "q1", "q2"))}


@reference(
    "the loss of a soft actor and its temperature",
    r"\bsac\b|soft ?actor",
    {"logp": NEW + r"|log_?pi\w*", "q1": Q1 + r"|q|q_?values?|q_?min|min_?q|q_?pi", "q2": Q2},
    lambda s: own_temperature(s, 6),
    lambda s: own_temperature(s, 6, 1),
    optional=("q2",),
    options=[Option("aim", r"target_?ent\w*|entropy_?target|h_?target", -1.3, ())],
    states=True,
    unless=r"discrete|\bcql\b|critic loss",
)
def soft_actor_and_temperature(g: Given, pick: Pick) -> Any:
    own = g.parameters[0].flatten()[:1].squeeze(0)
    q = torch.minimum(g.q1, g.q2) if g.has("q2") else g.q1
    alpha = own.exp()
    policy = (alpha * g.logp - q).mean()
    if not g.bound("aim"):
        return policy
    return policy - (pick(alpha, own) * (g.logp.detach() + g.aim)).mean()


def masked_steps(seed: int) -> dict[str, Any]:
    lengths = torch.tensor([4, 2, 3]).roll(seed // 100) + torch.tensor([seed // 100 % 2, 0, 0])
    mask = (torch.arange(5) < lengths[:, None]).double()
    return {"new": real(seed, 3, 5) - 2, "adv": real(seed + 1, 3, 5) + 0.4, "m": mask}


@reference(
    "the policy gradient under a mask",
    r"reinforce|policy gradient|\bpg loss|normali[sz]ed (policy|advantage)|policy loss",
    {"new": NEW, "adv": ADVANTAGE + r"|returns?|weights?", "m": r"\w*mask\w*|valid\w*|m"},
    masked_steps,
    lambda s: {**masked_steps(s), "m": masked_steps(s)["m"].bool()},
    lambda s: {**masked_steps(s), "adv": masked_steps(s)["adv"][:, 0]},
    trained=("new",),
    by_name=True,
    unless=r"ppo|clip|entropy|baseline|grpo|\bkl\b|importance|ratio|off ?policy|discount",
)
def masked_policy(g: Given, pick: Pick) -> Any:
    m = g.m.double()
    if g.adv.dim() == 1:
        gap = g.adv - g.adv.mean()
        adv = pick(g.adv, gap, gap / g.adv.std(), gap / g.adv.std(unbiased=False))[:, None]
    else:
        adv = normalized(g.adv, m, pick)
    each = g.new * adv * m
    return -pick(each.sum() / m.sum(), (each.sum(1) / m.sum(1)).mean(), each.sum(1).mean())


def normalized(x: Tensor, m: Tensor, pick: Pick) -> Tensor:
    """As they are, or centred and divided by their deviation: over the elements that count, all, or each row."""
    kind = pick("", "mean", "biased", "unbiased", "rows")
    if not kind:
        return x
    axes: Any = (1,) if kind == "rows" else (0, 1)
    count = m.sum(axes, keepdim=True)
    gap = x - (x * m).sum(axes, keepdim=True) / count
    if kind == "mean":
        return gap
    rest = 1 if kind == "unbiased" else 0
    return gap / ((gap.square() * m).sum(axes, keepdim=True) / (count - rest)).sqrt()


@reference(
    "the loss of the critics of implicit Q-learning",
    r"\biql\b.*(critic|q)|implicit q",
    {
        "q1": Q1,
        "q2": Q2,
        "v": r"(next_?)?(v|values?|vf)(_?(next|prime|tp1))?|next_\w+",
        "reward": REWARD,
        "done": DONE,
    },
    lambda s: {**values(s, 6), "reward": real(s + 4, 6), "done": whole(s, 2, 6).double()},
    lambda s: {**values(s, 6, 1), "reward": real(s + 4, 6, 1), "done": whole(s, 2, 6, 1).double()},
    options=[DISCOUNT],
    trained=("q1", "q2"),
)
def implicit_critics(g: Given, pick: Pick) -> Any:
    aim = (g.reward + g.gamma * continues(g) * g.v).detach()
    return F.mse_loss(g.q1, aim) + F.mse_loss(g.q2, aim)
