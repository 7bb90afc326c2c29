"""Losses of embeddings: pairs, triplets, contrastive losses of views and of groups, Barlow Twins and VICReg."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.finding import Found

ONE = Role(
    "one",
    r"x_?1|z_?1|e(mb\w*)?_?1|out(put)?_?1|f(eat\w*)?_?1|a|left|first|emb_a|z_?a|z_?i|h_?1|q|query|x_?i|u|za|view_?1",
)
TWO = Role(
    "two",
    r"x_?2|z_?2|e(mb\w*)?_?2|out(put)?_?2|f(eat\w*)?_?2|b|right|second|emb_b|z_?b|z_?j|h_?2|k|key|x_?j|v|zb|view_?2|positive_?key",
)
LABEL = Role("label", r"y|labels?|targets?|same|is_?same|similar\w*|match|flag|t|is_similar")
ANCHOR = Role("anchor", r"a|anchors?|anc|query|emb_a\w*")
POSITIVE = Role("positive", r"p|pos\w*|emb_p\w*")
NEGATIVE = Role("negative", r"n|neg\w*|emb_n\w*")
EMBEDDINGS = Role("embeddings", r"emb\w*|feat\w*|x|z|inputs?|outputs?|vectors?|e|f|representations?|proj\w*")
GROUPS = Role("groups", r"labels?|targets?|y|classes|ids|groups?|pids?")


def _apart(distance: float) -> dict[str, Tensor]:
    """Pairs of embeddings at this distance."""
    one = torch.zeros(4, 4, dtype=torch.float64)
    two = one.clone()
    two[:, 1] = distance
    return {"one": one, "two": two}


def pair_margin(claimed: Claimed) -> Iterator[Found]:
    """Hadsell's loss of dissimilar pairs: the squared distance from the margin, and none beyond it."""
    text = claimed.text
    squared = re.search(r"margin - (d|dist\w*|distance|\|\|[^|]*\|\|)\W[^\n]*(\^ ?2|\*\* ?2|²|squared)", text.said)
    if not squared and not re.search(r"hadsell", text.said):
        return
    margin = float(claimed.option("margin", "m") or 1.0)
    for label in (0.0, 1.0):
        target = torch.full((4,), label, dtype=torch.float64)
        shares = [claimed.value(**_apart(share * margin), label=target) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        if not shares[0] > 1e-9 or not shares[0] > shares[4]:
            continue  # similar pairs
        found = [each / shares[0] for each in shares]
        right = [(1 - share) ** 2 for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        if not all(near(a, b, 0.02, 0.01) for a, b in zip(found, right, strict=True)):
            yield claimed.found(
                f"max(margin - d, 0)^2 is documented for dissimilar pairs, but {_other_form(found, right, margin)}",
                {"at half the margin, relative to 0": found[2], "documented": right[2]},
                "distance = (x1 - x2).norm(dim=1); relu(margin - distance) ** 2",
                {**_apart(margin / 2), "label": target},
            )
        return


def _other_form(found: list[float], right: list[float], margin: float) -> str:
    """What the profile over distances in quarters of the margin shows."""
    by_square = [max(margin - (share * margin) ** 2, 0) / margin for share in (0.0, 0.25, 0.5, 0.75, 1.0)]

    def alike(other: list[float]) -> bool:
        return all(near(a, b, 0.02, 0.01) for a, b in zip(found, other, strict=True))

    if alike(by_square):
        return "the squared distance is subtracted from the margin, and the result is not squared"
    if alike([each * each for each in by_square]):
        return "the squared distance is subtracted from the margin"
    if alike([math.sqrt(each) for each in right]):
        return "the difference from the margin is not squared"
    return "it has another form"


def _directions(n: int, size: int) -> Tensor:
    return torch.eye(size, dtype=torch.float64)[:n].contiguous()


_TAU = ("temperature", "tau", "t", "temp", "T")


def aligned_views(claimed: Claimed) -> Iterator[Found]:
    """Equal views, orthogonal to all others, have the value of the definition; a sharp softmax leaves nothing."""
    n = 4
    both = _directions(n, 8)
    given = {"one": both, "two": both.clone()}
    name = next((each for each in _TAU if each in claimed.subject.origin.options), None)
    if name is None:
        return
    for tau in (0.05, 0.5):
        found = claimed.value({name: tau}, **given)
        if not math.isfinite(found):
            return
        right = [math.log1p(k * math.exp(-1 / tau)) for k in (n - 1, 2 * n - 2)]
        if tau == 0.05 and found > 0.5:
            flat = [math.log1p(k * math.exp(-tau)) for k in (n - 1, 2 * n - 2)]
            multiplied = any(near(found % (each or 1), 0, 0.01, 0.02) or near(found, each, 0.02) for each in flat)
            why = (
                "similarities are multiplied by the temperature, not divided"
                if multiplied
                else "each view is compared with itself"
                if near(found, math.log(2), 0.02) or near(found, 2 * math.log(2), 0.02)
                else "the positive of a view is not its partner, or views are not normalised along their dimensions"
            )
            yield claimed.found(
                f"equal views, orthogonal to all others, keep a loss of {found:.4g} at a temperature of {tau}: {why}",
                {"value": found, "by definition": right[0]},
                "logits = z1 @ z2.T / temperature; the partner of row i is column i; a view is not its own negative.",
                given,
            )
            return


def one_scale(claimed: Claimed) -> Iterator[Found]:
    """Views are normalised one by one: a longer embedding has the same loss."""
    code = claimed.text.code
    if "normalize" not in code and "cosine_similarity" not in code and not claimed.text.says(r"cosine|normali"):
        return
    if claimed.text.says(
        r"already normali|are normali|unit.?(norm|length)|l2.normali[sz]ed (emb|feat|rows)|normali[sz]ed outside"
    ):
        return
    one, two = drawn(6, 5), drawn(6, 5, seed=1)
    given = {"one": one, "two": two}
    longer = one.clone()
    longer[2] *= 5
    before, after = claimed.value(**given), claimed.value(**{**given, "one": longer})
    if math.isfinite(before) and not near(before, after, 1e-4):
        yield claimed.found(
            "a longer embedding of one sample changes the loss: it is not normalised over each embedding",
            {"one embedding times 5": after, "before": before},
            "F.normalize(z, dim=1)",
            {**given, "one": longer},
        )


def groups_far(claimed: Claimed) -> Iterator[Found]:
    """Groups at one point each, orthogonal to each other, have the value of the definition."""
    points = _directions(3, 6).repeat_interleave(3, 0)
    groups = torch.arange(3).repeat_interleave(3)
    given = {"embeddings": points, "groups": groups}
    name = next((each for each in _TAU if each in claimed.subject.origin.options), None)
    if name is None:
        return
    for tau in (0.1, 0.5):
        found = claimed.value({name: tau}, **given)
        near_by, far = 2.0, 6.0
        right = math.log(near_by + far * math.exp(-1 / tau))  # of each positive against all others
        inside = math.log1p(far / 2 * math.exp(-1 / tau))  # the sum inside the logarithm
        itself = math.log(near_by + 1 + far * math.exp(-1 / tau))
        scales = (1.0, tau / 0.07, tau)
        if not math.isfinite(found) or claimed.option("base_temperature") not in (None, 0.07, 1.0):
            return
        known = [scale * each for each in (right, inside) for scale in scales]
        if any(near(found, each, 0.01, 0.003) for each in known):
            continue
        if any(near(found, scale * itself, 0.005) for scale in scales):
            yield claimed.found(
                "each embedding is its own negative: the similarity with itself is in the softmax",
                {"value": found, "by definition": right},
                "Leave the diagonal out of the sum of exponentials and of the positives.",
                given,
            )
            return
        wrong = (
            math.log(near_by + far * math.exp(-1 / tau)) * 2 / 3,
            math.log(near_by + 1 + far * math.exp(-1 / tau)) - 1 / tau / 3,
        )
        if any(near(found, scale * each, 0.005) for scale in scales for each in wrong[:1]):
            yield claimed.found(
                "the mean over positives counts each embedding as its own positive",
                {"value": found, "by definition": right},
                "Take the diagonal out of the mask of positives before it is summed.",
                given,
            )
            return


def _alike(embeddings: Tensor, groups: Tensor, tau: float, itself: bool, inside: bool) -> float:
    """The supervised contrastive loss, with or without each embedding among its own positives."""
    logits = embeddings @ embeddings.T / tau
    own = torch.eye(len(groups), dtype=torch.bool)
    positive = groups.unsqueeze(0) == groups.unsqueeze(1)
    positive = positive if itself else positive & ~own
    logs = logits - logits.masked_fill(own, -math.inf).logsumexp(1, keepdim=True)
    if inside:
        return -float((logs.masked_fill(~positive, -math.inf).logsumexp(1) - positive.sum(1).log()).mean())
    return -float(((logs * positive).sum(1) / positive.sum(1)).mean())


def own_positive(claimed: Claimed) -> Iterator[Found]:
    """An embedding is not among its own positives."""
    groups = torch.tensor([0, 0, 1, 1, 1, 2, 2])
    tau = float(claimed.option(*_TAU) or 1.0)
    batches = [torch.nn.functional.normalize(drawn(7, 5, seed=seed), dim=1) for seed in range(4)]
    given = {"embeddings": batches[0], "groups": groups}
    costs = [claimed.value(embeddings=each, groups=groups) for each in batches]

    def explained(itself: bool, inside: bool) -> bool:
        rights = [_alike(each, groups, tau, itself, inside) for each in batches]
        scale = costs[0] / rights[0]
        return scale > 0 and all(near(cost, scale * right, 1e-3) for cost, right in zip(costs, rights, strict=True))

    if not all(map(math.isfinite, costs)) or any(explained(False, inside) for inside in (False, True)):
        return
    if any(explained(True, inside) for inside in (False, True)):
        yield claimed.found(
            "each embedding is counted among its own positives",
            {"value": costs[0], "by definition": _alike(batches[0], groups, tau, False, False)},
            "Take the diagonal out of the mask of positives before it is summed.",
            given,
        )


def apart(claimed: Claimed) -> Iterator[Found]:
    """Groups that are far apart leave no triplet to learn from: the loss is 0, not 0 / 0."""
    points = 50 * _directions(3, 6).repeat_interleave(3, 0) + 0.01 * drawn(9, 6)
    given = {"embeddings": points, "groups": torch.arange(3).repeat_interleave(3)}
    near_by = claimed.total(embeddings=drawn(9, 6), groups=given["groups"])
    cost, slope = claimed.value(**given), claimed.slope("embeddings", **given)
    if math.isfinite(near_by) and not (math.isfinite(cost) and bool(slope.isfinite().all())):
        yield claimed.found(
            f"groups that are far apart have a {'loss' if not math.isfinite(cost) else 'gradient'} that is not finite: "
            "the mean over no triplet is 0 / 0",
            {"value": cost},
            "losses.sum() / (losses > 0).sum().clamp(min=1)",
            given,
            "embeddings",
        )


def triplet_margin(claimed: Claimed) -> Iterator[Found]:
    """Equal distances have the loss of the margin; a negative far away has none."""
    point = drawn(4, 5)
    here = {"anchor": point, "positive": point.clone(), "negative": point.clone()}
    margin = claimed.option("margin", "m", "alpha")
    far = {**here, "negative": -20 * point}
    if margin is None or claimed.text.claims(r"soft|cosine|angular|log|adaptive"):
        return
    equal, none = claimed.value(**here), claimed.value(**far)
    if math.isfinite(equal) and equal <= 1e-9 and margin > 0:
        yield claimed.found(
            "an anchor as close to its negative as to its positive has no loss: the margin is subtracted",
            {"value": equal, "margin": float(margin)},
            "relu(d(anchor, positive) - d(anchor, negative) + margin)",
            here,
        )
    elif math.isfinite(none) and none > 1e-9 and none > 0.5 * equal:
        yield claimed.found(
            "a negative far away has a loss",
            {"value": none, "at equal distances": equal},
            "relu(d(anchor, positive) - d(anchor, negative) + margin)",
            far,
        )


def _orthogonal() -> Tensor:
    """Eight samples of four features: without mean, of one variance, uncorrelated."""
    two = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    return torch.kron(torch.kron(two, two), two)[:, 1:5].contiguous()


def uncorrelated(claimed: Claimed) -> Iterator[Found]:
    """Equal views of uncorrelated features have nearly no loss; correlated or opposite ones have one."""
    z = _orthogonal()
    best = {"one": z, "two": z.clone()}
    opposite = {"one": z, "two": -z}
    mixed = {"one": z[:, [0, 0, 1, 1]].contiguous(), "two": z[:, [0, 0, 1, 1]].contiguous()}
    least = claimed.value(**best)
    for given, what in ((opposite, "opposite views"), (mixed, "features that repeat each other")):
        cost = claimed.value(**given)
        if math.isfinite(cost) and math.isfinite(least) and not cost > least + 1e-9:
            yield claimed.found(
                f"{what} have no larger loss than equal views of uncorrelated features",
                {what: cost, "equal, uncorrelated": least},
                "c = z1.T @ z2 / N of standardised features; (c.diagonal() - 1) ** 2 and the squares off the diagonal.",
                given,
            )
            return
    cost = claimed.value(**mixed)
    twice = {name: torch.cat([each] * 8) for name, each in best.items()}
    if claimed.text.claims("barlow") and least > 0.5 * cost and claimed.value(**twice) > 2 * least:
        yield claimed.found(
            "equal views of uncorrelated features keep a loss that grows with the batch: the correlation is not "
            "divided by the number of samples",
            {"8 samples": least, "64 samples": claimed.value(**twice)},
            "c = z1.T @ z2 / len(z1)",
            best,
        )


def own_statistics(claimed: Claimed) -> Iterator[Found]:
    """The features of each view are standardised over the batch: their means and scales in one view do not count."""
    z = _orthogonal() + 0.1 * drawn(8, 4, seed=3)
    moved = {"one": z, "two": 2 * z + 4}
    cost, moved_cost = claimed.value(one=z, two=z.clone()), claimed.value(**moved)
    mixed = claimed.value(one=z, two=drawn(8, 4, seed=4))
    if all(map(math.isfinite, (cost, moved_cost, mixed))) and abs(moved_cost - cost) > 0.05 * abs(mixed - cost):
        yield claimed.found(
            "a view with other means and scales changes the loss: each view is not standardised on its own",
            {"2 * z + 4 as the second view": moved_cost, "z": cost},
            "z1 = (z1 - z1.mean(0)) / z1.std(0); z2 = (z2 - z2.mean(0)) / z2.std(0)",
            moved,
        )


def collapse(claimed: Claimed) -> Iterator[Found]:
    """Embeddings that collapse to one point have a larger loss than spread ones."""
    z = 3 * _orthogonal()
    spread = claimed.value(one=z, two=z.clone())
    for where, point in (("to 0", 0.01 * z), ("to one point", z[1:2] + 0.01 * z)):
        given = {"one": point, "two": point.clone()}
        collapsed = claimed.value(**given)
        if math.isfinite(collapsed) and math.isfinite(spread) and collapsed <= spread:
            yield claimed.found(
                f"embeddings that nearly collapse {where} have no larger loss than spread, uncorrelated ones",
                {"collapsed": collapsed, "spread": spread},
                "relu(1 - z.std(dim=0)): the deviation of each feature over the batch should be at least 1",
                given,
            )
            return


_VIEWS = (ONE, TWO)
_CONTRASTIVE = r"nt ?-?xent|info ?-?nce|simclr|contrastive|\bclip\b"
CLAIMS = (
    Claim("contrastive loss of pairs", r"contrastive|siamese", (ONE, TWO, LABEL), (pair_margin,), unless="supervised"),
    Claim("triplet loss", r"triplet", (ANCHOR, POSITIVE, NEGATIVE), (triplet_margin,)),
    Claim(
        "contrastive loss of views",
        _CONTRASTIVE,
        _VIEWS,
        (aligned_views, one_scale),
        ordered=True,
        unless=r"supervis|\bsup ?con|siglip|sigmoid|decoupled|debias|hard neg|dcl\b|label|siamese|moco|queue",
    ),
    Claim(
        "supervised contrastive loss",
        r"sup ?con|supervised (contrastive|nt ?-?xent|info ?-?nce|simclr)|sup ?clr",
        (EMBEDDINGS, GROUPS),
        (groups_far, own_positive),
    ),
    Claim("triplet loss of groups", r"triplet|batch (hard|all)", (EMBEDDINGS, GROUPS), (apart,)),
    Claim("Barlow Twins", r"barlow", _VIEWS, (uncorrelated, own_statistics), ordered=True),
    Claim("VICReg", r"\bvic ?reg|variance.*invariance.*covariance", _VIEWS, (collapse,), ordered=True),
)
