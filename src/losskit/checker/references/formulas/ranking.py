"""Ranking and preferences: pairs and lists of scores, and log-probabilities of answers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from losskit.checker.references.reference import Given, Option, Pick, real, reference, zeros_and_ones

BETTER = r"pos\w*|\w*_?pos|p|chosen\w*|\w+_chosen|better|winner\w*|preferred|s_?p|pos_?s\w*|x_?1|r_?w|\w*_w|y_pos|sp"
WORSE = r"neg\w*|\w*_?neg|n|rejected\w*|\w+_rejected|worse|loser\w*|s_?n|neg_?s\w*|x_?2|r_?l|\w*_l|y_neg|sn"
PAIR = {"p": BETTER, "n": WORSE}


def scores(seed: int) -> dict[str, Any]:
    return {"p": real(seed, 6), "n": real(seed + 1, 6)}


def column(seed: int) -> dict[str, Any]:
    return {"p": real(seed, 4, 1), "n": real(seed + 1, 4, 1)}


@reference(
    "the BPR loss",
    r"\bbpr\b|bayesian personali[sz]ed|bradley|reward model|pairwise (logistic|log)|preference",
    PAIR,
    scores,
    column,
    options=[Option("margin", r"margin|m", 0.7, (0.0,)), Option("tiny", r"gamma|eps\w*", 1e-10)],
    unless=r"\bdpo|reg\b|l2|weighted|embedding|soft label|ipo|hinge|\bo?rpo\b|\bkto\b|margin rank",
)
def bpr(g: Given, pick: Pick) -> Any:
    return -F.logsigmoid(g.p - g.n - g.margin).mean()


@reference(
    "the margin ranking loss",
    r"(margin|hinge|pairwise|max ?margin) ?(rank\w*|loss|pair)|ranking hinge|pairwise hinge|warp",
    PAIR,
    scores,
    column,
    options=[Option("margin", "margin|m|gamma|delta", 0.8, (1.0, 0.5, 0.1, 0.0, 0.2), True)],
    unless=r"large margin|multi|bpr|contrastive|arc|additive|softmax|gan|triplet|lov[aá]sz|distribution|\bldam|reward",
)
def margin(g: Given, pick: Pick) -> Any:
    sign = -1 if g.called("p", r"dist|^d_|_d$|energy") else 1
    return F.relu(g.margin - sign * (g.p - g.n)).mean()


@reference(
    "the margin ranking loss",
    r"margin ?rank",
    {
        "p": r"x_?1|input_?1|a|s_?1|pred_?1|score_?1",
        "n": r"x_?2|input_?2|b|s_?2|pred_?2|score_?2",
        "y": r"y|target|label",
    },
    lambda s: {**scores(s), "y": 2 * zeros_and_ones(s, 6) - 1},
    options=[Option("margin", "margin|m", 0.8, (0.0, 1.0), True)],
    trained=("p", "n"),
)
def margins(g: Given, pick: Pick) -> Any:
    return F.relu(g.margin - g.y * (g.p - g.n)).mean()


@reference(
    "RankNet",
    r"rank ?net",
    {"p": r"\w*_?i|\w*_?1|a", "n": r"\w*_?j|\w*_?2|b", "y": r"y|target|label|t|p_?bar|prob\w*"},
    lambda s: {**scores(s), "y": zeros_and_ones(s, 6)},
    options=[Option("sigma", "sigma|s|scale", 0.8, (1.0,))],
    trained=("p", "n"),
)
def ranknet(g: Given, pick: Pick) -> Any:
    return F.binary_cross_entropy_with_logits(g.sigma * (g.p - g.n), g.y)


LIST = {
    "x": r"scores?|y_?pred|pred\w*|input|logits|s|out\w*|x",
    "y": r"relevance\w*|rel|labels?|y_?true|target\w*|y|t|gains?|grades?",
}


def lists(seed: int) -> dict[str, Any]:
    order = torch.stack([torch.randperm(4, generator=torch.Generator().manual_seed(seed + n)) for n in range(3)])
    return {"x": real(seed, 3, 4), "y": order.double()}


PADDED = Option("pad", r"pad\w*|\w*_pad(ding)?\w*|ignore\w*", -1, ())


@reference("ListNet", r"list ?net", LIST, lists, trained=("x",), options=[PADDED])
def listnet(g: Given, pick: Pick) -> Any:
    if g.bound("pad"):
        return g.x.sum() * torch.nan  # compared with padding alone
    target = g.y.softmax(1) if pick(True, False) else g.y / g.y.sum(1, keepdim=True)
    return -(target * g.x.log_softmax(1)).sum(1).mean()


@reference(
    "ListMLE",
    r"list ?mle|plackett",
    LIST,
    lists,
    trained=("x",),
    options=[PADDED],
    unless=r"position|p-?list|weighted",
)
def listmle(g: Given, pick: Pick) -> Any:
    if g.bound("pad"):
        return g.x.sum() * torch.nan
    ranked = g.x.gather(1, g.y.argsort(1, descending=True))
    return (ranked.flip(1).logcumsumexp(1).flip(1) - ranked).mean()


@reference(
    "RankNet",
    r"rank ?net",
    LIST,
    lists,
    options=[Option("sigma", "sigma|s|scale", 0.8, (1.0,))],
    trained=("x",),
    unless=r"lambda|weight",
)
def ranknet_of_lists(g: Given, pick: Pick) -> Any:
    above = g.y[:, :, None] > g.y[:, None]
    each = F.softplus(-g.sigma * (g.x[:, :, None] - g.x[:, None]))
    return each[above].mean()


NEGATIVES = {"p": BETTER + r"|positives?", "n": WORSE + r"|negatives?"}


def sampled(seed: int) -> dict[str, Any]:
    return {"p": real(seed, 4), "n": real(seed + 1, 4, 3)}


@reference(
    "the sampled softmax loss",
    r"sampled soft|softmax loss|info ?nce",
    NEGATIVES,
    sampled,
    options=[Option("t", r"temp\w*|tau|t", 0.6, (1.0,))],
    unless=r"neg ?sampling|negative sampling|log ?sigmoid|sgns|skip|bpr|hinge|margin|word2vec|binary|adv|self",
    free=True,
)
def sampled_softmax(g: Given, pick: Pick) -> Any:
    return F.cross_entropy(torch.cat([g.p[:, None], g.n], 1) / g.t, torch.zeros(4, dtype=torch.int64))


@reference(
    "the loss of negative sampling",
    r"neg\w* ?sampling|sgns|skip ?gram|word2vec",
    NEGATIVES,
    sampled,
    scores,
    unless=r"adversarial|rotat",
    free=True,
)
def negative_sampling(g: Given, pick: Pick) -> Any:
    return -F.logsigmoid(g.p).mean(), -F.logsigmoid(-g.n).mean()


ANSWERS = {
    "pc": r"(policy|pi|model)_?(chosen|w|pos|win)\w*|chosen_logps?|logp_?(c|w|chosen)|"
    r"logps_chosen|pi_logp\w*_w|policy_chosen\w*",
    "pr": r"(policy|pi|model)_?(reject\w*|l|neg|lose)\w*|rejected_logps?|logp_?(r|l|rejected)|"
    r"logps_rejected|policy_rejected\w*",
    "rc": r"ref\w*_?(chosen|w|pos|win)\w*|chosen_ref\w*|ref_logp_?(c|w|chosen)\w*",
    "rr": r"ref\w*_?(reject\w*|l|neg|lose)\w*|rejected_ref\w*|ref_logp_?(r|l|rejected)\w*",
}


def answers(seed: int) -> dict[str, Any]:
    return {name: real(seed + n, 5) - 3 for n, name in enumerate(ANSWERS)}


@reference(
    "the DPO loss",
    r"\bdpo\b|direct preference|preference",
    ANSWERS,
    answers,
    lambda s: {name: each for name, each in answers(s).items() if name[0] == "p"},
    options=[Option("beta", "beta", 0.6, (0.1,)), Option("eps", r"label_smoothing|eps\w*", 0.1, (0.0,))],
    trained=("pc", "pr"),
    optional=("rc", "rr"),
    unless=r"length|robust|\bo?rpo\b|\bkto\b|sim ?po|\bcpo\b|reward model",
)
def dpo(g: Given, pick: Pick) -> Any:
    gap = g.pc - g.pr - (g.rc - g.rr if g.has("rc") and g.has("rr") else 0.0)
    kinds = ["sigmoid", *(name for name in ("ipo", "hinge", "robust") if name in f"{g.text.title} {g.text.code}")]
    kind = pick(*kinds)
    h = g.beta * gap
    if kind == "ipo":
        return (gap - 1 / (2 * g.beta)).square().mean()
    if kind == "hinge":
        return F.relu(1 - h).mean()
    if kind == "robust":
        return -((1 - g.eps) * F.logsigmoid(h) - g.eps * F.logsigmoid(-h)).mean()
    return -((1 - g.eps) * F.logsigmoid(h) + g.eps * F.logsigmoid(-h)).mean()


@reference(
    "the IPO loss",
    r"\bipo\b|identity preference",
    ANSWERS,
    answers,
    options=[Option("beta", "beta|tau", 0.6, (0.1,))],
    trained=("pc", "pr"),
    unless=r"\bdpo\b|preference loss",
)
def ipo(g: Given, pick: Pick) -> Any:
    return (g.pc - g.pr - g.rc + g.rr - 1 / (2 * g.beta)).square().mean()


@reference(
    "the circle loss",
    r"\bcircle loss",
    {"p": r"sp|s_?p|pos\w*", "n": r"sn|s_?n|neg\w*"},
    lambda s: {"p": 0.5 + 0.3 * real(s, 4), "n": 0.3 * real(s + 1, 5)},
    options=[Option("m", "m|margin", 0.3, (0.25,)), Option("gamma", "gamma|scale|s", 3.0, (80.0, 256.0))],
)
def circle(g: Given, pick: Pick) -> Any:
    ap, an = F.relu(1 + g.m - g.p), F.relu(g.n + g.m)
    ap, an = (ap.detach(), an.detach()) if pick(True, False) else (ap, an)
    return F.softplus((an * (g.n - g.m) * g.gamma).logsumexp(0) + (-ap * (g.p - 1 + g.m) * g.gamma).logsumexp(0))


@reference(
    "the triplet loss with a soft margin",
    r"soft ?(margin|plus)? ?triplet|triplet.*soft",
    {"a": r"a|anchors?|query|q", "p": r"p|pos\w*", "n": r"n|neg\w*"},
    lambda s: {name: real(s + n, 5, 3) for n, name in enumerate("apn")},
)
def soft_triplet(g: Given, pick: Pick) -> Any:
    near, far = ((g.a - x).square().sum(1) for x in (g.p, g.n))
    near, far = (near.sqrt(), far.sqrt()) if pick(True, False) else (near, far)
    return F.softplus(near - far).mean()


@reference(
    "the N-pair loss",
    r"\bn ?pairs?\b",
    {"a": r"a|anchors?|x|f", "p": r"p|pos\w*|y|f_p"},
    lambda s: {"a": real(s, 4, 3), "p": real(s + 1, 4, 3)},
)
def n_pair(g: Given, pick: Pick) -> Any:
    return F.cross_entropy(g.a @ g.p.T, torch.arange(4)), (g.a.square().sum() + g.p.square().sum()) * 1.0


@reference(
    "the sigmoid loss of pairs",
    r"sig ?lip|sigmoid (contrastive|loss for language)",
    {"a": r"img\w*|image\w*|a|x|z_?1|z_?i", "b": r"txt\w*|text\w*|b|y|z_?2|z_?t"},
    lambda s: {"a": real(s, 4, 3), "b": real(s + 1, 4, 3)},
    options=[
        Option("t", r"t|temp\w*|scale|logit_scale", 2.0, (10.0, 1.0)),
        Option("b", r"b|bias|logit_bias", -1.5, (-10.0, 0.0)),
    ],
)
def siglip(g: Given, pick: Pick) -> Any:
    a, b = (F.normalize(g.tensors[n]) for n in "ab") if pick(True, False) else (g.tensors["a"], g.tensors["b"])
    logits = a @ b.T * g.t + g.numbers.get("b", 0.0)
    return -F.logsigmoid((2 * torch.eye(4) - 1) * logits).mean()


@reference(
    "the uniformity loss",
    r"uniformity|uniform loss",
    {"x": r"x|z|emb\w*|feat\w*"},
    lambda s: {"x": real(s, 5, 3)},
    options=[Option("t", "t", 1.5, (2.0,))],
)
def uniformity(g: Given, pick: Pick) -> Any:
    x = pick(g.x, F.normalize(g.x))
    above = torch.triu_indices(5, 5, 1)
    square = (x[above[0]] - x[above[1]]).square().sum(1)
    return (-g.t * square).exp().mean().log()


@reference(
    "the BPR loss",
    r"\bbpr\b|bayesian personali[sz]ed",
    {"u": r"u|users?\w*|user_emb\w*", "p": r"pos\w*|i|item_?i|p", "n": r"neg\w*|j|item_?j|n"},
    lambda s: {name: real(s + n, 5, 3) for n, name in enumerate("upn")},
    options=[Option("decay", r"reg\w*|l2\w*|weight_?decay|decay|lam\w*|wd", 0.3, ())],
    unless=r"weighted|margin",
)
def bpr_of_embeddings(g: Given, pick: Pick) -> Any:
    near = -F.logsigmoid((g.u * (g.p - g.n)).sum(1)).mean()
    if not g.bound("decay"):
        return near
    lengths = [each.norm(dim=1) for each in (g.u, g.p, g.n)]
    squares = torch.stack([each.square().mean() for each in lengths])
    whole = torch.stack([each.norm() for each in (g.u, g.p, g.n)])
    length = pick(squares.sum(), torch.stack([each.mean() for each in lengths]).sum(), whole.sum())
    return pick((near, length), (near,))  # of a loss that returns both, the first is compared


@reference(
    "the SimPO loss",
    r"\bsim ?po\b|length.normali[sz]ed log",
    PAIR | {"p": ANSWERS["pc"], "n": ANSWERS["pr"]},
    lambda s: {"p": real(s, 5) - 3, "n": real(s + 1, 5) - 3},
    options=[Option("beta", "beta", 0.8, (2.0,)), Option("gamma", r"gamma\w*|margin", 0.6, (1.0, 0.5))],
)
def simpo(g: Given, pick: Pick) -> Any:
    return -F.logsigmoid(g.beta * (g.p - g.n) - pick(g.gamma, g.beta * g.gamma)).mean()
