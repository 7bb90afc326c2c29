"""Reinforcement learning: critics of two networks, returns of whole episodes, distributions of returns."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.policies import ADVANTAGE, DISCOUNT, NEW, OLD
from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

REWARD = r"r|rewards?|rew\w*"
DONE = r"d|dones?|terminal\w*|terminated|not_?dones?|masks?|finished|nonterminal\w*|is_done"
TEMPERATURE = Option("alpha", r"alpha|temp\w*|ent\w*(_coef\w*)?", 0.4, (0.2, 0.1), True)


def continues(g: Given) -> Tensor:
    """1 for a transition that does not end the episode."""
    return g.done if g.called("done", "not|mask|non") else 1 - g.done  # type: ignore[no-any-return]


def twins(seed: int, *size: int) -> dict[str, Any]:
    names = ("q1", "q2", "next1", "next2", "logp", "reward")
    made: dict[str, Any] = {name: real(seed + n, *size) for n, name in enumerate(names)}
    return {**made, "done": zeros_and_ones(seed, *size), "alpha": 0.4}


TWINS = {
    "q1": r"(current_?|pred\w*_?)?(q|qf)_?(1|a)(_?(pred|value\w*|current|s|sa))?|q_?pred_?1|critic_?1",
    "q2": r"(current_?|pred\w*_?)?(q|qf)_?(2|b)(_?(pred|value\w*|current|s|sa))?|q_?pred_?2|critic_?2",
    "next1": r"(next|target|tgt)\w*_?(1|a)|(q|qf)_?1_?(next|target|tgt)\w*|(q|qf)_?(next|target|tgt)\w*1",
    "next2": r"(next|target|tgt)\w*_?(2|b)|(q|qf)_?2_?(next|target|tgt)\w*|(q|qf)_?(next|target|tgt)\w*2",
    "reward": REWARD,
    "done": DONE,
}


def both_regress(g: Given, pick: Pick, value: Tensor) -> Any:
    aim = (g.reward + g.gamma * continues(g) * value).detach()
    error = pick(F.mse_loss, F.smooth_l1_loss)
    return error(g.q1, aim) + error(g.q2, aim)


@reference(
    "the loss of soft critics",
    r"\bsac\b|soft ?(actor|q|bellman)|soft critic",
    {**TWINS, "logp": r"(next_?)?(log\w*|logp\w*|logprob\w*)(_?next)?|log_?pi\w*", "alpha": r"alpha|temp\w*|ent_coef"},
    lambda s: twins(s, 6),
    lambda s: twins(s, 6, 1),
    options=[DISCOUNT, TEMPERATURE],
    optional=("alpha",),
    trained=("q1", "q2"),
    unless=r"discrete|\bcql\b",
)
def soft_critics(g: Given, pick: Pick) -> Any:
    return both_regress(g, pick, torch.minimum(g.next1, g.next2) - g.alpha * g.logp)


@reference(
    "the loss of twin critics",
    r"\btd3\b|twin (delayed|critic|q)|clipped double q|\bddpg\b.*twin",
    TWINS,
    lambda s: twins(s, 6),
    lambda s: twins(s, 6, 1),
    options=[DISCOUNT],
    trained=("q1", "q2"),
    unless=r"\bsac\b|soft|\bbc\b",
)
def twin_critics(g: Given, pick: Pick) -> Any:
    return both_regress(g, pick, torch.minimum(g.next1, g.next2))


@reference(
    "the conservative Q-learning loss",
    r"\bcql\b|conservative q",
    {
        "q": r"q|q_?values?|q_?pred\w*|q_?all|qs",
        "action": r"a|actions?|act",
        "aim": r"target\w*|y|td_?target\w*|aim|q_?target\w*",
    },
    lambda s: {"q": real(s, 5, 3), "action": whole(s, 3, 5), "aim": real(s + 1, 5)},
    lambda s: {"q": real(s, 5, 3), "action": whole(s, 3, 5)[:, None], "aim": real(s + 1, 5)},
    options=[Option("weight", r"alpha|cql_?\w*|min_q\w*|weight|w", 0.7, ())],
    optional=("aim",),
    trained=("q",),
    unless=r"lagrange|continuous|\bsac\b",
)
def conservative(g: Given, pick: Pick) -> Any:
    chosen = g.q.gather(1, g.action.reshape(-1, 1)).squeeze(1)
    gap = (g.q.logsumexp(1) - chosen).mean()
    return (gap, pick(F.mse_loss, F.smooth_l1_loss)(chosen, g.aim)) if g.has("aim") else (gap,)


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """The sum of the discounted rewards from each step to the end."""
    found: list[Tensor] = []
    running = torch.zeros_like(rewards[0])
    for reward in reversed(list(rewards)):
        running = reward + discount * running
        found.insert(0, running)
    return torch.stack(found)


def scaled(x: Tensor, pick: Pick) -> Tensor:
    """As they are, or centred, or standardised."""
    gap = x - x.mean()
    return pick(x, gap / x.std(), gap / x.std(unbiased=False), gap)  # type: ignore[no-any-return]


@reference(
    "the policy gradient of an episode",
    r"reinforce|policy gradient|normali[sz]ed returns?|\bvpg\b|monte ?carlo policy|actor ?critic",
    {
        "new": NEW,
        "reward": r"rewards?|r|rews?",
        "v": r"values?|v|state_values?|baselines?|critic\w*",
        "h": r"entrop\w*|ent|h",
    },
    lambda s: {"new": real(s, 6) - 2, "reward": real(s + 1, 6), "v": real(s + 2, 6), "h": real(s + 3, 6)},
    options=[DISCOUNT],
    optional=("v", "h"),
    trained=("new", "v", "h"),
    unless=r"ppo|clip|gae|generali[sz]ed|bootstrap|\ba[23]c\b|n ?step|soft",
    free=True,
)
def episode(g: Given, pick: Pick) -> Any:
    returns = discounted(g.reward, g.gamma)
    returns = returns if g.bound("gamma") else pick(returns, g.reward)
    returns = scaled(returns, pick)
    gain = scaled(returns - g.v.detach(), pick) if g.has("v") else returns
    policy = -(g.new * gain).mean()
    value = (pick(F.mse_loss, F.smooth_l1_loss)(g.v, returns),) if g.has("v") else ()
    entropy = (-g.h.mean(),) if g.has("h") else ()
    return (policy, *value, *entropy)


def rollout(seed: int) -> dict[str, Any]:
    names = ("new", "v", "reward", "h")
    made: dict[str, Any] = {name: real(seed + n, 6) for n, name in enumerate(names)}
    return {**made, "done": zeros_and_ones(seed, 6), "last": real(seed + 5, 1)[0], "ratio": 0.7}


@reference(
    "the advantage actor-critic loss with generalised advantages",
    r"\ba[23]c\b|actor ?critic|\bgae\b|generali[sz]ed advantage",
    {
        "new": NEW,
        "v": r"values?|v|state_values?|critic\w*",
        "reward": REWARD,
        "done": DONE,
        "h": r"entrop\w*|ent|h",
        "last": r"(next|last|final|bootstrap)_?v\w*|v_?(next|last)\w*|bootstrap",
    },
    rollout,
    options=[DISCOUNT, Option("ratio", r"lam\w*|lambda_?|gae_?\w*|tau", 0.7, (0.95, 1.0), True)],
    optional=("h",),
    trained=("new", "v", "h"),
    unless=r"ppo|clip|soft|\bsac",
)
def advantages(g: Given, pick: Pick) -> Any:
    v, on = g.v.detach(), continues(g)
    after = torch.cat([v[1:], g.last.detach().reshape(1)])
    found: list[Tensor] = []
    running = torch.zeros_like(v[0])
    for n in reversed(range(len(v))):
        running = g.reward[n] + g.gamma * after[n] * on[n] - v[n] + g.gamma * g.ratio * on[n] * running
        found.insert(0, running)
    gain = torch.stack(found)
    aim = gain + v
    value = pick(F.mse_loss, F.smooth_l1_loss)(g.v, aim)
    terms = (-(g.new * scaled(gain, pick)).mean(), value)
    return (*terms, -g.h.mean()) if g.has("h") else terms


@reference(
    "the loss of categorical returns",
    r"\bc51\b|categorical dqn|distributional (dqn|q|rl)|rainbow",
    {
        "x": r"log_?p\w*|logits?|p|probs?|q_?dist\w*|pred\w*|dist|log_?q\w*|current\w*|x",
        "y": r"(target|tgt|proj\w*|next)\w*|m|y|\w+_target",
        "w": r"(is_?)?weights?|w",
    },
    lambda s: {"x": share(s, 4, 3).softmax(1), "y": share(s + 1, 4, 3).softmax(1), "w": share(s + 2, 4)},
    optional=("w",),
    trained=("x",),
    unless=r"quantile|qr ?dqn|iqn|huber|projection",
)
def categorical(g: Given, pick: Pick) -> Any:
    kind = "log" if g.called("x", "log_?p|log_?q|log_?dist") else "softmax" if g.called("x", "logit") else ""
    kind = kind or pick("softmax", "share", "log")
    logs = {"log": g.x, "softmax": g.x.log_softmax(1), "share": g.x.log()}[kind]
    each = -(g.y * logs).sum(1)
    return (each * g.w).mean() if g.has("w") else each.mean()


@reference(
    "the clipped PPO objective",
    r"\bppo\b|clipped surrogate|proximal policy|normali[sz]ed advantages?",
    {
        "new": NEW,
        "old": OLD,
        "adv": ADVANTAGE,
        "v": r"v|values?|v_?new|new_values?|v_?pred\w*|vpred\w*",
        "v_old": r"old_?v\w*|v_?old|values?_old|old_values?",
        "ret": r"ret\w*|targets?|v_?targ\w*",
        "h": r"entrop\w*|ent|h",
        "m": r"\w*mask\w*|valid\w*|m",
    },
    lambda s: {
        **{name: real(s + n, 8) for n, name in enumerate(("adv", "v", "v_old", "ret", "h"))},
        "new": 0.5 * real(s + 5, 8) - 1,
        "old": 0.5 * real(s + 6, 8) - 1,
        "m": zeros_and_ones(s, 8),
    },
    lambda s: {
        **{name: real(s + n, 4, 3) for n, name in enumerate(("adv", "v", "v_old", "ret", "h"))},
        "new": 0.5 * real(s + 5, 4, 3) - 1,
        "old": 0.5 * real(s + 6, 4, 3) - 1,
        "m": zeros_and_ones(s, 4, 3),
    },
    options=[
        Option(
            "eps",
            r"clip(_?(eps\w*|range|coef\w*|ratio|param|value|epsilon))?|eps\w*|epsilon|cliprange",
            0.25,
            (0.2, 0.1, 0.3),
            True,
        )
    ],
    optional=("v", "v_old", "ret", "h", "m"),
    trained=("new", "v", "h"),
    unless=r"dual|grpo|\bkl\b|dapo|gspo|cispo",
)
def proximal(g: Given, pick: Pick) -> Any:
    adv, ratio = scaled(g.adv, pick), (g.new - g.old).exp()
    policy = -torch.minimum(ratio * adv, ratio.clamp(1 - g.eps, 1 + g.eps) * adv)
    terms = [policy]
    if g.has("v") and g.has("ret"):
        near = g.v_old + (g.v - g.v_old).clamp(-g.eps, g.eps) if g.has("v_old") else g.v
        plain, smooth = (g.v - g.ret).square(), F.smooth_l1_loss
        terms.append(pick(torch.maximum(plain, (near - g.ret).square()), plain, smooth(g.v, g.ret, reduction="none")))
    terms += [-g.h] if g.has("h") else []
    if not g.has("m"):
        return tuple(each.mean() for each in terms)
    rows = pick(False, True) if g.m.dim() > 1 else False  # a mean per sequence
    if rows:
        return tuple(((each * g.m).sum(1) / g.m.sum(1).clamp(min=1)).mean() for each in terms)
    return tuple((each * g.m).sum() / g.m.sum() for each in terms)
