"""Overlaps of masks: intersections, unions, counts of errors, and the scores made of them."""

from losskit.checker.quantities.forms import EPS, LOGITS, MASK, PRED, TRUTH, measured, quantity, summed, where

PARTS = {"l": LOGITS, "p": PRED, "t": TRUTH, "m": MASK}
ROWS = "t.unflatten(-1, (1, 4))[..., 0, :]"  # fails where there are not 4 columns
OVERLAP = "(minimum({0}, {1}) - maximum({2}, {3})).clamp_min(0).prod(-1)"
BOXES = (
    OVERLAP.format("p[..., 2:4]", f"{ROWS}[..., 2:4]", "p[..., :2]", f"{ROWS}[..., :2]"),
    OVERLAP.format("p[:, None, 2:4]", f"{ROWS}[:, 2:4]", "p[:, None, :2]", f"{ROWS}[:, :2]"),
    OVERLAP.format(
        "p[..., :2] + p[..., 2:4] / 2",
        f"{ROWS}[..., :2] + t[..., 2:4] / 2",
        "p[..., :2] - p[..., 2:4] / 2",
        "t[..., :2] - t[..., 2:4] / 2",
    ),
)
NOT_MASKS = "bool(t.min() < 0) or bool(t.max() > 1)"
SOFT = ("sigmoid(l)", "(l > 0)", "softmax(l, 1)", "softmax(l, -1)", "(l + 1e6 * ((l.min() < 0) | (l.max() > 1)))")
HARD = ("p", "(p > 0.5)", "(p >= 0.5)", "sigmoid(p)", "softmax(p, 1)")


def _of(template: str, *more: str) -> list[str]:
    """The template of P and t, for probabilities, logits, and with a mask."""
    masked = [each.replace("SUM(", "SUM(m * ") for each in more or (template,)]
    return summed(
        *where(template, P=HARD),
        *where(template, P=SOFT),
        *(made for each in masked for made in where(each, P=(*HARD[:1], *SOFT))),
    )


quantity(
    "the intersection",
    r"inter|intersections?|intersect|tp|true_?pos(itive)?s?|tps|overlap|area_i(nter)?|inter_area",
    PARTS,
    *_of("SUM(P * t)"),
    *BOXES,
    *summed("SUM(minimum(p, t))", "2 * SUM(p * t)", "SUM(p * t) ** 2"),
    unless=NOT_MASKS,
)
quantity(
    "the false positives",
    r"fps?|false_?pos(itive)?s?",
    PARTS | {"i": r"tps?|inter\w*|true_?pos(itive)?s?"},
    *_of("SUM(P * (1 - t))"),
    *summed("SUM(p) - i", "SUM(m * p) - i"),
    unless=NOT_MASKS,
)
quantity(
    "the false negatives",
    r"fns?|false_?neg(ative)?s?",
    PARTS | {"i": r"tps?|inter\w*|true_?pos(itive)?s?"},
    *_of("SUM((1 - P) * t)"),
    *summed("SUM(t) - i", "SUM(m * t) - i"),
    unless=NOT_MASKS,
)
quantity(
    "the true negatives",
    r"tns?|true_?neg(ative)?s?",
    PARTS,
    *_of("SUM((1 - P) * (1 - t))"),
    unless=NOT_MASKS,
)
INTER = r"inter|intersections?|intersect|overlaps?|tps?|area_i(nter)?|i|inter_area|true_?pos(itive)?s?"
quantity(
    "the sum of both areas",
    r"cardinality|card|cardinalities|sum_?(of_?)?(both|areas|masks)|mask_sum|dice_denom(inator)?",
    PARTS | {"eps": EPS},
    *_of("SUM(P + t)"),
    *_of("SUM(P ** 2 + t ** 2)"),
    *_of("SUM(P ** 2 + t)"),
    *summed("SUM(p + t) + eps", "SUM(p ** 2 + t ** 2) + eps", "SUM(p + t) + 2 * eps"),
    unless=NOT_MASKS,
)
FIRST = (
    r"(area|areas|a|vol(ume)?|s|pred_area|p_area|card)_?(1|a|p|pred|x|box1|boxes1|b1|d|dt)|"
    r"pred_?(area|sum|vol\w*)|p_?(area|sum)|sum_?(p|pred|1)|card_pred|area1s|input_?sum|iflat_sum"
)
SECOND = (
    r"(area|areas|a|vol(ume)?|s|gt_area|t_area|card)_?(2|b|t|g|gt|target|y|box2|boxes2|b2)|"
    r"(target|gt|true|mask|label)_?(area|sum|vol\w*)|[tg]_?(area|sum)|sum_?(t|g|gt|target|2)|card_(gt|target)|tflat_sum"
)
quantity(
    "the union",
    r"unions?|area_u(nion)?|union_area|iou_denom",
    {"a": FIRST, "b": SECOND, "i": INTER, "eps": EPS, "c": r"cardinality|card|total|sums?|denom"} | PARTS,
    "a + b - i",
    "a + b - i + eps",
    "a[:, None] + b - i",
    "a[:, None] + b[None] - i",
    "a[:, None] + b - i + eps",
    "a + b",
    "a + b + eps",
    "c - i",
    "c - i + eps",
    *_of("SUM(P) + SUM(t) - i"),
    *_of("SUM(P) + SUM(t)"),
    *_of("SUM(P + t - P * t)"),
    *_of("SUM(P ** 2 + t ** 2 - P * t)"),
    *_of("SUM(P ** 2) + SUM(t ** 2)"),
    *_of("SUM(P ** 2) + SUM(t)"),
    *summed("SUM(p) + SUM(t) - i + eps", "SUM(p + t) + eps", "SUM(maximum(p, t))", "SUM(p ** 2 + t ** 2) + eps"),
    *summed("SUM((p + t) > 0)", "SUM(p ** 2 + t ** 2) - i"),
    "(p[..., 2] - p[..., 0]) * (p[..., 3] - p[..., 1]) + (t[..., 2] - t[..., 0]) * (t[..., 3] - t[..., 1]) - i",
    "p[..., 2] * p[..., 3] + t[..., 2] * t[..., 3] - i",
    (
        "((p[..., 2] - p[..., 0]) * (p[..., 3] - p[..., 1]))[:, None] + (t[..., 2] - t[..., "
        "0]) * (t[..., 3] - t[..., 1]) - i"
    ),
    "p[..., 3:].prod(-1) + t[..., 3:].prod(-1) - i",
    "p[..., 3:].clamp_min(0).prod(-1) + t[..., 3:].prod(-1) - i",
    "(p[..., 2:] - p[..., :2]).clamp_min(0).prod(-1) + (t[..., 2:] - t[..., :2]).clamp_min(0).prod(-1) - i",
    "(p[..., 2:] - p[..., :2]).clamp_min(0).prod(-1) + (t[..., 2:] - t[..., :2]).prod(-1) - i",
    unless=NOT_MASKS,
)
measured(
    "the intersection over the union",
    r"ious?|jaccards?(_(index|score))?|jac|iou_(score|map|per_\w+)|mean_?iou|miou",
    {
        "u": r"unions?|area_u(nion)?|union_area|u|denom(inator)?|den",
        "a": FIRST,
        "b": SECOND,
        "i": INTER,
        "fp": r"fps?|false_pos\w*",
        "fn": r"fns?|false_neg\w*",
        "eps": EPS,
        "c": r"cardinality|card|total",
    },
    "i / u",
    "i / u.clamp_min(1)",
    "1 - i / u",
    "i / (u + eps)",
    "i / u.clamp_min(eps)",
    "(i + eps) / (u + eps)",
    "1 - (i + eps) / (u + eps)",
    "i / (u - i)",
    "(i + eps) / (u - i + eps)",
    "i / (a + b - i)",
    "i / (a + b - i + eps)",
    "(i + eps) / (a + b - i + eps)",
    "i / (a + b - i).clamp_min(eps)",
    "i / (a[:, None] + b - i)",
    "i / (a[:, None] + b - i + eps)",
    "i / (c - i)",
    "i / (c - i + eps)",
    "(i + eps) / (c - i + eps)",
    "i / (i + fp + fn)",
    "(i + eps) / (i + fp + fn + eps)",
    "i / (i + fp + fn + eps)",
    "(i / u)[u > 0]",
)
