"""Reinforcement learning: policies, values and temporal differences."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.reference import Given, Option, Pick, real, reference, share, whole, zeros_and_ones

NEW = r"(new_)?log_?probs?(_?new)?|logp\w*|new_logp\w*|logprobs?|pi_logp|log_pi|curr\w*_?log\w*|log_prob_new"
OLD = r"(old|behaviou?r)_?log\w*|log_?probs?_old|logp_old|log_pi_old|logprobs_old|old_\w+|mu_logp"
ADVANTAGE = r"adv\w*|a|gae|advantages?|delta\w*"
DISCOUNT = Option("gamma", r"gamma|discount\w*|g", 0.8, (0.99, 0.9, 0.95), True)


def steps(seed: int) -> dict[str, Any]:
    return {"new": 0.5 * real(seed, 8) - 1, "old": 0.5 * real(seed + 1, 8) - 1, "adv": real(seed + 2, 8)}


@reference(
    "the policy gradient",
    r"reinforce|policy gradient|\bpg loss|vanilla pg",
    {"new": NEW, "adv": ADVANTAGE + r"|returns?|g|weights?"},
    lambda s: {"new": real(s, 6) - 2, "adv": real(s + 1, 6)},
    trained=("new",),
    unless=r"ppo|clip|entropy|baseline",
)
def policy_gradient(g: Given, pick: Pick) -> Any:
    if g.called("adv", r"reward|^r$"):  # discounted by the loss: another form
        return g.new.sum() * torch.nan
    adv = pick(
        g.adv,
        (g.adv - g.adv.mean()) / g.adv.std(),
        g.adv - g.adv.mean(),
        (g.adv - g.adv.mean()) / g.adv.std(unbiased=False),
    )
    return -(g.new * adv).mean()


def actor(seed: int) -> dict[str, Any]:
    return {"new": real(seed, 6) - 2, "v": real(seed + 1, 6), "r": real(seed + 2, 6), "h": real(seed + 3, 6) + 2}


@reference(
    "the actor-critic loss",
    r"\ba[23]c\b|actor ?critic|advantage actor",
    {
        "new": NEW,
        "v": r"values?|v|state_values?|critic\w*|baseline\w*",
        "r": r"returns?|r|rewards?|targets?|ret",
        "h": r"entrop\w*|ent|h",
    },
    actor,
    optional=("h",),
    trained=("new", "v", "h"),
    unless=r"soft|\bsac",
)
def actor_critic(g: Given, pick: Pick) -> Any:
    gap = g.r - g.v
    value = pick(gap.square().mean(), F.smooth_l1_loss(g.v, g.r))
    terms = (-(g.new * gap.detach()).mean(), value)
    return (*terms, -g.h.mean()) if g.has("h") else terms


def transitions(seed: int) -> dict[str, Any]:
    return {
        "q": real(seed, 5, 3),
        "action": whole(seed, 3, 5),
        "reward": real(seed + 1, 5),
        "next": real(seed + 2, 5, 3),
        "done": zeros_and_ones(seed, 5),
        "w": share(seed + 4, 5),
    }


WEIGHTS = r"(is_?|importance_?|per_?|sample_?)?(sampling_?)?weights?|isw|w|importance\w*"


def replayed(g: Given, pick: Pick, chosen: Tensor, aim: Tensor) -> Any:
    """The error of chosen values, with the weights of prioritised replay."""
    each = pick(F.mse_loss, F.smooth_l1_loss)(chosen, aim, reduction="none")
    return (each * g.w).mean() if g.has("w") else each.mean()


@reference(
    "the DQN loss",
    r"\bdqn\b|q ?learning|deep q|\btd\b.*q",
    {
        "q": r"q|q_?values?|q_?pred\w*|q_?sa|q_?s",
        "action": r"a|actions?|act",
        "reward": r"r|rewards?|rew",
        "next": r"(next|target|tgt)_?q\w*|q_?(next|target|tgt)\w*|q_?ns",
        "done": r"d|dones?|terminal\w*|terminated|not_?done|mask|finished",
        "w": WEIGHTS,
    },
    transitions,
    lambda s: {**transitions(s), "action": transitions(s)["action"][:, None]},
    options=[DISCOUNT],
    optional=("w",),
    trained=("q",),
    unless=r"double|duel|quantile|distribut|\bc51|cql|conservative|soft",
)
def dqn(g: Given, pick: Pick) -> Any:
    chosen = g.q.gather(1, g.action.reshape(-1, 1)).squeeze(1)
    done = 1 - g.done if g.called("done", "not|mask") else g.done
    aim = (g.reward + g.gamma * (1 - done) * g.next.amax(1)).detach()
    return replayed(g, pick, chosen, aim)


@reference(
    "the double DQN loss",
    r"double ?(dqn|q)",
    {
        "q": r"q|q_?values?|q_?pred\w*|q_?online|q_?s",
        "action": r"a|actions?|act",
        "reward": r"r|rewards?|rew",
        "online": r"(next_?q\w*_?online|online_?next\w*|q_?next_?online|next_?online\w*|q_?next|next_q\w*)",
        "next": r"next_?q\w*_?(target|tgt)|(target|tgt)_?next\w*|"
        r"q_?next_?(target|tgt)|next_?(target|tgt)\w*|(target|tgt)_?q\w*|q_?(target|tgt)\w*",
        "done": r"d|dones?|terminal\w*|terminated|not_?done|masks?",
        "w": WEIGHTS,
    },
    lambda s: {**transitions(s), "online": real(s + 3, 5, 3)},
    lambda s: {**transitions(s), "online": real(s + 3, 5, 3), "action": transitions(s)["action"][:, None]},
    options=[DISCOUNT],
    optional=("w",),
    trained=("q",),
)
def double_dqn(g: Given, pick: Pick) -> Any:
    chosen = g.q.gather(1, g.action.reshape(-1, 1)).squeeze(1)
    best = g.next.gather(1, g.online.argmax(1, keepdim=True)).squeeze(1)
    done = 1 - g.done if g.called("done", "not|mask") else g.done
    return replayed(g, pick, chosen, (g.reward + g.gamma * (1 - done) * best).detach())


@reference(
    "the temporal difference",
    r"\btd\b|temporal difference|bellman",
    {
        "v": r"v|values?|v_?s|q",
        "reward": r"r|rewards?",
        "next": r"next_?v\w*|v_?next|v_?ns|next_?q|target_?v\w*|next_values?",
        "done": r"d|dones?|terminal\w*|terminated",
    },
    lambda s: {"v": real(s, 6), "reward": real(s + 1, 6), "next": real(s + 2, 6), "done": zeros_and_ones(s, 6)},
    options=[DISCOUNT],
    trained=("v", "next"),
    unless=r"lambda|twin|td3",
)
def temporal(g: Given, pick: Pick) -> Any:
    aim = (g.reward + g.gamma * (1 - g.done) * g.next).detach()
    return pick(F.mse_loss(g.v, aim), F.smooth_l1_loss(g.v, aim))


@reference(
    "the loss of a soft actor",
    r"\bsac\b.*(actor|policy)|soft actor",
    {"logp": NEW + r"|log_?pi\w*", "q": r"q|q_?values?|q_?min|min_?q|q_?pi|qf?_?1\w*", "q2": r"qf?_?2\w*"},
    lambda s: {"logp": real(s, 6), "q": real(s + 1, 6), "q2": real(s + 2, 6)},
    lambda s: {"logp": real(s, 6, 1), "q": real(s + 1, 6, 1), "q2": real(s + 2, 6, 1)},
    optional=("q2",),
    options=[Option("alpha", "alpha|temp\\w*|ent\\w*", 0.4, (0.2,), True)],
)
def soft_actor(g: Given, pick: Pick) -> Any:
    q = torch.minimum(g.q, g.q2) if g.has("q2") else g.q
    return (g.alpha * g.logp - q).mean()


@reference(
    "the clipped value loss",
    r"(clipped )?value (loss|clip)|value function loss|critic loss.*clip",
    {
        "v": r"v|values?|v_?new|new_values?|v_?pred\w*",
        "old": r"old_?v\w*|v_?old|values?_old|old_values?",
        "ret": r"ret\w*|targets?|r|v_?targ\w*",
    },
    lambda s: {"v": real(s, 8), "old": real(s + 1, 8), "ret": real(s + 2, 8)},
    options=[Option("eps", r"clip\w*|eps\w*|epsilon", 0.25, (0.2,), True)],
    trained=("v",),
    free=True,
)
def clipped_value(g: Given, pick: Pick) -> Any:
    near = g.old + (g.v - g.old).clamp(-g.eps, g.eps)
    return torch.maximum((g.v - g.ret).square(), (near - g.ret).square()).mean()


@reference(
    "the advantage-weighted regression",
    r"\bawr\b|advantage ?weighted|\bawac\b",
    {"new": NEW, "adv": ADVANTAGE},
    lambda s: {"new": real(s, 6) - 2, "adv": real(s + 1, 6)},
    options=[Option("beta", r"beta|temp\w*|tau|lam\w*", 1.6, (1.0,), True)],
    trained=("new",),
)
def weighted_regression(g: Given, pick: Pick) -> Any:
    return -((g.adv / g.beta).exp().detach() * g.new).mean()


@reference(
    "the estimate of a KL divergence",
    r"\bk3\b|kl penalty|approx\w* kl|kl estimat",
    {"new": NEW, "ref": r"ref\w*|old\w*|base\w*"},
    lambda s: {"new": real(s, 6) - 2, "ref": real(s + 1, 6) - 2},
    trained=("new",),
)
def estimated_kl(g: Given, pick: Pick) -> Any:
    r = g.ref - g.new
    return pick(r.exp() - r - 1, -r, r.square() / 2, (-r).exp() * -r).mean()
