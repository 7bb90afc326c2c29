"""Distances of vectors, their expansions, hard pairs, triplets, and kernels of them."""

from losskit.checker.quantities.forms import EPS, FEATURES, LEFT, RIGHT, quantity

POINTS = r"(x|y|pts?|points?|coords?|preds?|gts?|source|target|pc|cloud)_?[12ab]?"
SQUARED = (
    "(z.unsqueeze(-2) - z.unsqueeze(-3)).pow(2).sum(-1)",
    "(z.unsqueeze(-1) - z.unsqueeze(-2)).pow(2).sum(1)",
    "(z.unsqueeze(-1) - z.unsqueeze(-2)).pow(2)",
    "(a.unsqueeze(-2) - b.unsqueeze(-3)).pow(2).sum(-1)",
    "(b.unsqueeze(-2) - a.unsqueeze(-3)).pow(2).sum(-1)",
    "(a.unsqueeze(-1) - b.unsqueeze(-2)).pow(2).sum(1)",
    "(a.unsqueeze(-1) - b.unsqueeze(-2)).pow(2)",
    "(a - b).pow(2).sum(-1)",
    "(a - b).pow(2).sum(1)",
    "(a - b).pow(2).sum(0)",
    "(a - b).flatten(1).pow(2).sum(1)",
    "(a - b).flatten(2).pow(2).sum(2)",
    "(a - b).pow(2)",
    "(a - b).pow(2).sum()",
    "(a[..., :2] - b[..., :2]).pow(2).sum(-1)",
    "(a[..., :3] - b[..., :3]).pow(2).sum(-1)",
    "(a - b).pow(2).mean(-1)",
    "(a - b).pow(2).mean(1)",
    "(a - b).pow(2).mean()",
    "(a / a.norm(2, -1, True) - b / b.norm(2, -1, True)).pow(2).sum(-1)",
    "(a / a.norm(2, 1, True) - b / b.norm(2, 1, True)).pow(2).sum(1)",
    "f.pow(2).sum(-1)",
    "f.pow(2).sum(1)",
    "f.pow(2)",
    "q.unsqueeze(-1) + q.unsqueeze(-2) - 2 * g",
    "q.unsqueeze(-1) + r.unsqueeze(-2) - 2 * g",
    "g.diagonal(0, -2, -1).unsqueeze(-1) + g.diagonal(0, -2, -1).unsqueeze(-2) - 2 * g",
    "q.unsqueeze(-1) + q.unsqueeze(-2) - 2 * z @ z.transpose(-1, -2)",
    "q.unsqueeze(-1) + r.unsqueeze(-2) - 2 * a @ b.transpose(-1, -2)",
    "r.unsqueeze(-1) + q.unsqueeze(-2) - 2 * b @ a.transpose(-1, -2)",
    "q + r.mT - 2 * a @ b.mT",
    "q + r - 2 * g",
    "q[:, None] + q[None] - 2 * z @ z.mT",
)
ALIKE = (
    "2 - 2 * z @ z.mT",
    "2 - 2 * a @ b.mT",
    "2 - 2 * b @ a.mT",
    "2 - 2 * (a * b).sum(-1)",
    "2 - 2 * (a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "2 - 2 * g",
    "2 - 2 * s",
)
PARTS = {
    "f": r"diffs?|delta|d|deltas?|pairwise_diff|residuals?",
    "g": r"dots?(_?prod\w*)?|gram|inner\w*|zz|xy|prods?|mm|g|cross|product|mat(mul)?",
    "q": (
        r"sq(uares?|uared)?_?(norms?)?(_?(1|a|x|i|s))?|(x|a|z|p|emb|feat\w*)_?(2|sq\w*|"
        r"norms?2?)(_sq\w*)?|xx|rx|x_sq|norms?(_sq\w*|2)?(_?(1|a|x))?|(x|a)x|square_norm|aa"
    ),
    "r": (
        r"sq(uares?|uared)?_?(norms?)?_?(2|b|y|j|t)|(y|b|t)_?(2|sq\w*|norms?2?)(_sq\w*)?|yy|ry|"
        r"norms?(_sq\w*|2)?_?(2|b|y)|bb"
    ),
    "s": r"sims?|similarit(y|ies)|cos(ine)?(_sim\w*)?|sim_mat\w*|cos_\w+",
    "eps": EPS,
    "a": LEFT,
    "b": RIGHT,
    "z": FEATURES + "|" + POINTS,
}
quantity(
    "the squared distances",
    (
        r"(pairwise_)?(dist(ances?)?|d|l)_?(2|sq(uared)?|squared|square)(_?(mat\w*|ap|an|pos|"
        r"neg))?|sq(uared)?_?(dist(ances?)?|d|l2)\w*|d2\w*|(pos|neg)_?(d2|sq_?dist)"
    ),
    PARTS,
    *SQUARED,
    *ALIKE,
    *(f"({each}).mean(-1)" for each in ("(a - b).pow(2)", "f.pow(2)", "(z.unsqueeze(-2) - z.unsqueeze(-3)).pow(2)")),
)
LINEAR = (
    "(z.unsqueeze(-2) - z.unsqueeze(-3)).abs().sum(-1)",
    "(a.unsqueeze(-2) - b.unsqueeze(-3)).abs().sum(-1)",
    "(a - b).abs().sum(-1)",
    "(a - b).abs().sum(1)",
    "(a - b).abs()",
    "(z.unsqueeze(-1) - z.unsqueeze(-2)).abs()",
    "(a.unsqueeze(-1) - b.unsqueeze(-2)).abs()",
    "f.abs().sum(-1)",
    "f.abs().sum(1)",
    "f.abs()",
    "1 - s",
    "1 - z @ z.mT",
    "1 - (z / z.norm(2, -1, True)) @ (z / z.norm(2, -1, True)).mT",
    "1 - a @ b.mT",
    "1 - b @ a.mT",
    "1 - (a / a.norm(2, -1, True)) @ (b / b.norm(2, -1, True)).mT",
    "1 - (a * b).sum(-1)",
    "1 - (a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "1 - (a / a.norm(2, 1, True) * b / b.norm(2, 1, True)).sum(1)",
    "(a - b + 1e-6).pow(2).sum(-1).sqrt()",
)
quantity(
    "the distances",
    r"(pairwise_|euclidean_|euc_|l2_|p|cos(ine)?_|feat\w*_)?(dist(ances?)?|dists)(_?(mat(rix)?|ap|an|pos(itive)?|neg(ative)?|p|n|l2|\w\w?))?|d_?(ap|an|pos|neg|p|n|xy)|(ap|an|pos|neg)_?(dist(ances?)?|d)|distmat|"
    r"euclidean\w*|pdist\w*|pairwise_d\w*|(positive|negative)_dist\w*",
    PARTS,
    *SQUARED,
    *(f"({each}).clamp_min(0).sqrt()" for each in SQUARED),
    *(f"({each} + eps).clamp_min(0).sqrt()" for each in SQUARED),
    *(f"({each}).clamp_min(eps).sqrt()" for each in SQUARED),
    *ALIKE,
    *(f"({each}).clamp_min(0).sqrt()" for each in ALIKE),
    *LINEAR,
    "(a.norm(2, -1) - b.norm(2, -1)).abs()",
    "s",
    "(a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "(a - b).norm()",
    "(a - b).abs().mean()",
    "(a - b).abs().mean(-1)",
    "(a - b).abs().sum()",
    "acos(s.clamp(-1, 1))",
    "acosh((1 + 2 * (a - b).pow(2).sum(-1) / ((1 - a.pow(2).sum(-1)) * (1 - b.pow(2).sum(-1)))).clamp_min(1))",
    "a - b",
    "b - a",
    *(f"-({each})" for each in SQUARED[:10]),
)
