"""Triplets, kernels of distances, and distances of sets."""

from losskit.checker.quantities.forms import measured, quantity

AP = (
    r"(d|dists?|distances?)_?(ap|pos(itives?)?|p)|(ap|pos(itives?)?|hard(est)?_pos\w*|p|"
    r"anchor_positive)_?(d|dists?|distances?)|hard(est)?_?pos(itive)?(_dist)?|dp"
)
AN = (
    AP.replace("ap", "an")
    .replace("pos(itives?)?", "neg(atives?)?")
    .replace("pos(itive)?", "neg(ative)?")
    .replace("hard(est)?_pos", "hard(est)?_neg")
    .replace("|p)", "|n)")
    .replace("|p|", "|n|")
    .replace("anchor_positive", "anchor_negative")
    .replace("|dp", "|dn")
)
SP = (
    r"(s|sims?|cos|scores?|logits?)_?(ap|pos(itives?)?|p)|(ap|pos(itives?)?|p|chosen|"
    r"hard_pos)_?(s|sims?|scores?|logits?|cos)|sp"
)
SN = (
    SP.replace("ap", "an")
    .replace("pos(itives?)?", "neg(atives?)?")
    .replace("|p)", "|n)")
    .replace("|p|", "|n|")
    .replace("chosen|hard_pos", "rejected|hard_neg")
    .replace("|sp", "|sn")
)
MARGIN = r"margins?|m|alpha|triplet_margin|delta"
HINGE = ("{}", "({}).clamp_min(0)", "log1p(exp({}))", "({}).clamp_min(0).pow(2)")
quantity(
    "the loss of triplets, with a margin that is a number",
    r"triplet\w*|losses",
    {"ap": AP, "an": AN, "sp": SP, "sn": SN},
    *(
        form.format(f"{each} + {margin}")
        for form in HINGE
        for each in ("ap - an", "sn - sp")
        for margin in (0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0, 2.0)
    ),
    reduced=True,
    factor=True,
)
quantity(
    "the loss of triplets",
    (
        r"(triplet\w*|hinge|ranking|margin|rank\w*)_?loss(es)?|loss(es)?|triplets?|hinge|"
        r"viol\w*|loss_?(triplet|rank\w*)|per_\w+"
    ),
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
D2 = (
    r"(d|l|dist(ances?)?|sq|pairwise)_?(2|sq(uared)?|squared)(_?dist\w*)?|"
    r"sq(uared)?_?dist\w*|d2|l2(_dist\w*)?|r2|sq_?dists?|dist_sq\w*|xx_yy|sq"
)
D = r"(pairwise_)?(dist(ances?)?|dists|d|r|dist_mat\w*)"
quantity(
    "the Gaussian kernel",
    (
        r"k|k_?(xx|xy|yy|ss|st|tt|mat\w*)|kernels?(_?(val\w*|mat\w*|xx|xy|yy))?|rbf\w*|gauss\w*|"
        r"affinit\w*|gaussian_kernel"
    ),
    {
        "q": D2,
        "d": D,
        "sigma": r"sigmas?|s|length_?scale|ls|h|scale",
        "w": r"bandwidths?|bw|band",
        "g": r"gammas?|beta|alpha",
    },
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
