"""Graphs: triples of a knowledge graph, edges, and embeddings of nodes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole


@reference(
    "the margin loss of distances of a knowledge graph",
    r"trans ?e\b|knowledge graph|\bkge?\b.*margin",
    {"p": r"pos\w*|p|golden\w*|d_?pos", "n": r"neg\w*|n|corrupt\w*|d_?neg"},
    lambda s: {"p": real(s, 6).abs(), "n": real(s + 1, 6).abs()},
    options=[Option("margin", "margin|gamma|m", 0.8, (1.0, 0.5), True)],
    unless=r"self.?adversarial|rotat",
)
def of_triples(g: Given, pick: Pick) -> Any:
    sign = 1 if g.called("p", "dist|^d_") else pick(1, -1)
    return F.relu(g.margin + sign * (g.p - g.n)).mean()


def graphs(seed: int) -> dict[str, Any]:
    half = (real(seed + 1, 5, 5) > 0.3).triu(1)
    return {"z": real(seed, 5, 3), "a": (half | half.T).double()}


@reference(
    "the loss of a graph autoencoder",
    r"graph auto ?encoder|\bv?gae\b|inner product decoder",
    {"z": r"z|emb\w*|h|x|latent\w*|mu", "a": r"adj\w*|a|labels?|graph|a_?label|target\w*"},
    graphs,
    options=[
        Option("weight", r"pos_?weight\w*|weight", 2.5, (1.0,)),
        Option("norm", r"norm", 1.0, (1.0,)),
    ],
    trained=("z",),
    unless=r"kl|elbo|variational|negative|edge",
    free=True,
)
def graph_autoencoder(g: Given, pick: Pick) -> Any:
    logits = g.z @ g.z.T
    if g.bound("weight"):
        weight: Any = g.weight
    else:
        weight = pick(1.0, (g.a.numel() - g.a.sum()) / g.a.sum())
    each = -(weight * g.a * F.logsigmoid(logits) + (1 - g.a) * F.logsigmoid(-logits))
    norm = g.a.numel() / (2 * (g.a.numel() - g.a.sum())) if not g.bound("weight") and pick(False, True) else 1.0
    return norm * each.mean()


EDGES = {"p": r"pos\w*|p|\w*_pos|real\w*|h_1|true\w*", "n": r"neg\w*|n|\w*_neg|fake\w*|corrupt\w*|h_2|false\w*"}


@reference(
    "the binary cross entropy of edges",
    r"link ?(pred\w*|loss)|edge (pred\w*|loss)|\bdgi\b|graph info ?max|negative edges",
    EDGES,
    lambda s: {"p": real(s, 6), "n": real(s + 1, 6)},
    lambda s: {"p": real(s, 4), "n": real(s + 1, 7)},
    unless=r"margin|hinge|rank|bpr",
    free=True,
)
def edges(g: Given, pick: Pick) -> Any:
    near, far = -F.logsigmoid(g.p), -F.logsigmoid(-g.n)
    return pick(torch.cat([near, far]).mean(), near.mean() + far.mean())


@reference(
    "the cross entropy of the edges of embeddings",
    r"(weighted )?(link|edge) (pred\w*|loss|weighted|classif\w*)|(weighted )?inner product decoder|graph recon\w*",
    {
        "a": r"(z_?|h_?|emb\w*_?)?(src|source|u|head|i|left|from|a)\w*|z_?1|h_?1",
        "b": r"(z_?|h_?|emb\w*_?)?(dst|dest\w*|v|tail|j|right|to|b|target_?(emb|node)\w*)|z_?2|h_?2|dst_\w+",
        "y": r"labels?|y|targets?|edge_?labels?|link_?labels?|exists",
    },
    lambda s: {"a": real(s, 6, 3), "b": real(s + 1, 6, 3), "y": whole(s, 2, 6)},
    lambda s: {"a": real(s, 6, 3), "b": real(s + 1, 6, 3), "y": whole(s, 2, 6).double()},
    options=[Option("weight", r"pos_?w\w*|weight\w*|w_?pos|positive_?w\w*", 2.5, (1.0,))],
    trained=("a", "b"),
    by_name=True,
    unless=r"margin|hinge|rank|bpr|negative",
    every=True,
)
def edges_of_embeddings(g: Given, pick: Pick) -> Any:
    logits, y = (g.a * g.b).sum(1), g.y.double()
    weight = 1 + (g.weight - 1) * y
    each = F.binary_cross_entropy_with_logits(logits, y, reduction="none") * weight
    return each.sum() / pick(1.0, weight.sum())


@reference(
    "the loss of negative sampling of embeddings",
    r"\bsage\b|graph ?sage|node2vec|deep ?walk|skip ?gram|sgns|word2vec|neg\w* ?sampling",
    {
        "a": r"(z_?|h_?|emb\w*_?|v_?)?(src|u|center|source|anchor|query|target|in|i)\w*|z|h|center\w*|a|x",
        "p": r"\w*pos\w*|(z_?|h_?|v_?)?(dst|v|ctx|context|out|j)\w*|p",
        "n": r"\w*neg\w*|n|noise\w*",
    },
    lambda s: {"a": real(s, 4, 3), "p": real(s + 1, 4, 3), "n": real(s + 2, 4, 5, 3)},
    lambda s: {"a": real(s, 4, 3), "p": real(s + 1, 4, 3), "n": real(s + 2, 5, 3)},
    options=[Option("q", r"q|neg\w*weight|num_neg\w*|k", 1.0, (1.0,))],
    unless=r"margin|hinge|triplet|info ?nce|soft ?max",
    free=True,
)
def sampled_embeddings(g: Given, pick: Pick) -> Any:
    near = -F.logsigmoid((g.a * g.p).sum(1)).mean()
    scores = (g.a[:, None] * g.n).sum(2) if g.n.dim() == 3 else g.a @ g.n.T
    return near, -F.logsigmoid(-scores).mean()
