"""Distances of vectors, their expansions, hard pairs, triplets, and kernels of them."""

from losskit.checker.quantities.forms import EPS, FEATURES, LEFT, RIGHT, measured, quantity

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
    "q + r.T - 2 * a @ b.T",
    "q + r - 2 * g",
    "q[:, None] + q[None] - 2 * z @ z.T",
)
ALIKE = (
    "2 - 2 * z @ z.T",
    "2 - 2 * a @ b.T",
    "2 - 2 * b @ a.T",
    "2 - 2 * (a * b).sum(-1)",
    "2 - 2 * (a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "2 - 2 * g",
    "2 - 2 * s",
)
PARTS = {
    "f": r"diffs?|delta|d|deltas?|pairwise_diff|residuals?",
    "g": r"dots?(_?prod\w*)?|gram|inner\w*|zz|xy|prods?|mm|g|cross|product|mat(mul)?",
    "q": r"sq(uares?|uared)?_?(norms?)?(_?(1|a|x|i|s))?|(x|a|z|p|emb|feat\w*)_?(2|sq\w*|norms?2?)(_sq\w*)?|xx|rx|x_sq|norms?(_sq\w*|2)?(_?(1|a|x))?|(x|a)x|square_norm|aa",
    "r": r"sq(uares?|uared)?_?(norms?)?_?(2|b|y|j|t)|(y|b|t)_?(2|sq\w*|norms?2?)(_sq\w*)?|yy|ry|norms?(_sq\w*|2)?_?(2|b|y)|bb",
    "s": r"sims?|similarit(y|ies)|cos(ine)?(_sim\w*)?|sim_mat\w*|cos_\w+",
    "eps": EPS,
    "a": LEFT,
    "b": RIGHT,
    "z": FEATURES + "|" + POINTS,
}
quantity(
    "the squared distances",
    r"(pairwise_)?(dist(ances?)?|d|l)_?(2|sq(uared)?|squared|square)(_?(mat\w*|ap|an|pos|neg))?|sq(uared)?_?(dist(ances?)?|d|l2)\w*|d2\w*|(pos|neg)_?(d2|sq_?dist)",
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
    "1 - z @ z.T",
    "1 - (z / z.norm(2, -1, True)) @ (z / z.norm(2, -1, True)).T",
    "1 - a @ b.T",
    "1 - b @ a.T",
    "1 - (a / a.norm(2, -1, True)) @ (b / b.norm(2, -1, True)).T",
    "1 - (a * b).sum(-1)",
    "1 - (a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "1 - (a / a.norm(2, 1, True) * b / b.norm(2, 1, True)).sum(1)",
    "(a - b + 1e-6).pow(2).sum(-1).sqrt()",
)
quantity(
    "the distances",
    r"(pairwise_|euclidean_|euc_|l2_|p|cos(ine)?_|feat\w*_)?(dist(ances?)?|dists)(_?(mat(rix)?|ap|an|pos|neg|p|n|l2|\w\w?))?|d_?(ap|an|pos|neg|p|n|xy)|(ap|an|pos|neg)_?(dist(ances?)?|d)|distmat|"
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
    "acos(s)",
    "acos(s.clamp(-1, 1))",
    "acosh(1 + 2 * (a - b).pow(2).sum(-1) / ((1 - a.pow(2).sum(-1)) * (1 - b.pow(2).sum(-1))))",
    "log(a) - log(b)",
    "a - b",
    "b - a",
    *(f"-({each})" for each in SQUARED[:10]),
)
AP = r"(d|dists?|distances?)_?(ap|pos(itives?)?|p)|(ap|pos(itives?)?|hard(est)?_pos\w*|p|anchor_positive)_?(d|dists?|distances?)|hard(est)?_?pos(itive)?(_dist)?|dp"
AN = AP.replace("ap", "an").replace("pos(itives?)?", "neg(atives?)?").replace("pos(itive)?", "neg(ative)?").replace("hard(est)?_pos", "hard(est)?_neg").replace("|p)", "|n)").replace("|p|", "|n|").replace("anchor_positive", "anchor_negative").replace("|dp", "|dn")
SP = r"(s|sims?|cos|scores?|logits?)_?(ap|pos(itives?)?|p)|(ap|pos(itives?)?|p|chosen|hard_pos)_?(s|sims?|scores?|logits?|cos)|sp"
SN = SP.replace("ap", "an").replace("pos(itives?)?", "neg(atives?)?").replace("|p)", "|n)").replace("|p|", "|n|").replace("chosen|hard_pos", "rejected|hard_neg").replace("|sp", "|sn")
MARGIN = r"margins?|m|alpha|triplet_margin|delta"
HINGE = ("{}", "({}).clamp_min(0)", "log1p(exp({}))", "({}).clamp_min(0).pow(2)")
quantity(
    "the loss of triplets",
    r"(triplet\w*|hinge|ranking|margin|rank\w*)_?loss(es)?|loss(es)?|triplets?|hinge|viol\w*|loss_?(triplet|rank\w*)|per_\w+",
    {"ap": AP, "an": AN, "sp": SP, "sn": SN, "m": MARGIN},
    *(
        form.format(each)
        for form in HINGE
        for each in (
            "ap - an + m",
            "sn - sp + m",
            "ap.unsqueeze(-1) - an.unsqueeze(-2) + m",
        )
    ),
    *(
        f"({near}){total} + ({far}){total}"
        for total in ("", ".sum()", ".mean()")
        for near, far in (
            ("ap", "(m - an).clamp_min(0)"),
            ("ap.pow(2)", "(m - an).clamp_min(0).pow(2)"),
            ("ap", "(m - an).clamp_min(0).pow(2)"),
            ("1 - sp", "(sn - m).clamp_min(0)"),
            ("(1 - sp).pow(2)", "(sn - m).clamp_min(0).pow(2)"),
        )
    ),
    reduced=True,
    factor=True,
)
D2 = r"(d|l|dist(ances?)?|sq|pairwise)_?(2|sq(uared)?|squared)(_?dist\w*)?|sq(uared)?_?dist\w*|d2|l2(_dist\w*)?|r2|sq_?dists?|dist_sq\w*|xx_yy|sq"
D = r"(pairwise_)?(dist(ances?)?|dists|d|r|dist_mat\w*)"
quantity(
    "the Gaussian kernel",
    r"k|k_?(xx|xy|yy|ss|st|tt|mat\w*)|kernels?(_?(val\w*|mat\w*|xx|xy|yy))?|rbf\w*|gauss\w*|affinit\w*|gaussian_kernel",
    {"q": D2, "d": D, "sigma": r"sigmas?|s|length_?scale|ls|h|scale", "w": r"bandwidths?|bw|band", "g": r"gammas?|beta|alpha"},
    *(
        f"exp(-({square}) / ({spread}))"
        for square in ("q", "d**2")
        for spread in ("2 * sigma**2", "sigma**2", "2 * w**2", "w**2", "w", "2 * w", "sigma", "2 * sigma")
        if not (square == "d**2" and spread in ("sigma", "2 * sigma"))
    ),
    "exp(-g * q)",
    "exp(-g * d**2)",
    "exp(-g * d)",
    "exp(-d / sigma)",
    "exp(-d / w)",
    "exp(-d / (2 * w))",
    "exp(-d / (2 * w**2))",
    "exp(-d / (2 * sigma**2))",
    "exp(-d / sigma**2)",
)
measured(
    "the discrepancy of means",
    r"mmd\w*|loss(es)?|mmd_?loss|loss_?mmd|discrepancy",
    {
        "x": r"(k|kernels?)?_?(xx|ss|aa)(_\w+)?|(xx|ss|XX)_?(mean|kernel|term)?|kxx",
        "y": r"(k|kernels?)?_?(yy|tt|bb)(_\w+)?|(yy|tt)_?(mean|kernel|term)?|kyy",
        "c": r"(k|kernels?)?_?(xy|st|ab)(_\w+)?|(xy|st)_?(mean|kernel|term)?|kxy",
        "v": r"(k|kernels?)?_?(yx|ts|ba)(_\w+)?|(yx|ts)_?(mean|kernel|term)?|kyx",
    },
    "x + y - 2 * c",
    "x + y - c - v",
    "x.mean() + y.mean() - 2 * c.mean()",
    "x.mean() + y.mean() - c.mean() - v.mean()",
    "(x.mean() + y.mean() - 2 * c.mean()).clamp_min(0)",
    "(x.mean() + y.mean() - 2 * c.mean()).clamp_min(1e-12).sqrt()",
    "x.sum() / (x.shape[0] * (x.shape[0] - 1)) + y.sum() / (y.shape[0] * (y.shape[0] - 1)) - 2 * c.mean()",
    "(x.sum() - x.diagonal().sum()) / (x.shape[0] * (x.shape[0] - 1))"
    " + (y.sum() - y.diagonal().sum()) / (y.shape[0] * (y.shape[0] - 1)) - 2 * c.mean()",
)
quantity(
    "the distance of two clouds of points",
    r"chamfer(_?(loss|dist\w*))?|cd|cham|loss_?chamfer",
    {
        "d": r"(pairwise_)?(dist(ances?)?|dists?|d2|d|dist_?(mat\w*|sq|2)|sq_?dists?)",
        "one": r"(min_?dist_?|dist_?|min_?|d_?|cham_?|loss_?)(x|1|xy|a|p|pred|x_to_y|ab|p2g|fwd|forward)",
        "two": r"(min_?dist_?|dist_?|min_?|d_?|cham_?|loss_?)(y|2|yx|b|g|gt|y_to_x|ba|g2p|bwd|backward)",
    },
    "d.amin(-1).mean() + d.amin(-2).mean()",
    "(d.amin(-1).mean(-1) + d.amin(-2).mean(-1))",
    "d.amin(-1).sum() + d.amin(-2).sum()",
    "d.amin(-1).sum(-1) + d.amin(-2).sum(-1)",
    "maximum(d.amin(-1).mean(-1), d.amin(-2).mean(-1))",
    "maximum(d.amin(-1).mean(), d.amin(-2).mean())",
    "one + two",
    "one.mean() + two.mean()",
    "one.mean(-1) + two.mean(-1)",
    "one.sum() + two.sum()",
    "one.sum(-1) + two.sum(-1)",
    "maximum(one, two)",
    "one.sqrt().mean() + two.sqrt().mean()",
    factor=True,
    reduced=True,
)
