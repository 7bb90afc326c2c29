"""Overlaps of boxes: enclosing areas, distances of centres, aspect ratios, and the scores made of them."""

from losskit.checker.quantities.forms import EPS, quantity
from losskit.checker.quantities.tables.areas import C_AREA, HULL
from losskit.checker.quantities.tables.boxes import CORNERS, NOT_BOXES, PAIR, pairs_of

quantity(
    "the area of the enclosing box",
    C_AREA,
    HULL,
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).prod(-1)"),
    *pairs_of("maximum(AH, BH) - minimum(AL, BL)"),  # its size
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).prod(-1) + eps"),
    "wh.clamp_min(0).prod(-1)",
    "wh.clamp_min(0).prod(-1) + eps",
    "wh.prod(-1)",
    "wh.prod(-1).clamp_min(eps)",
    "w * v",
    "w * v + eps",
    "(ch - cl).prod(-1)",
    "(ch - cl).clamp_min(0).prod(-1)",
    "(ch - cl).clamp_min(0).prod(-1) + eps",
    "(x2 - x1) * (y2 - y1)",
    "(x2 - x1) * (y2 - y1) + eps",
    "(x2 - x1).clamp_min(0) * (y2 - y1).clamp_min(0)",
    unless=NOT_BOXES,
)
quantity(
    "the squared diagonal of the enclosing box",
    r"c_?2|c_?sq\w*|diag\w*(2|_sq\w*)?|(enclos\w*|c|outer)_diag\w*|diagonal\w*|outer_diag",
    HULL,
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).pow(2).sum(-1)"),
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1)"),
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1) + eps"),
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1).clamp_min(eps)"),
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1).sqrt()"),
    "wh.pow(2).sum(-1)",
    "wh.pow(2).sum(-1) + eps",
    "wh.pow(2).sum(-1).clamp_min(eps)",
    "wh.pow(2).sum(-1).sqrt()",
    "w ** 2 + v ** 2",
    "w ** 2 + v ** 2 + eps",
    "(w ** 2 + v ** 2).clamp_min(eps)",
    "(ch - cl).pow(2).sum(-1)",
    "(ch - cl).pow(2).sum(-1) + eps",
    "(ch - cl).clamp_min(0).pow(2).sum(-1)",
    "(x2 - x1) ** 2 + (y2 - y1) ** 2",
    "(x2 - x1) ** 2 + (y2 - y1) ** 2 + eps",
    unless=NOT_BOXES,
)
CX_A, CX_B = (
    (
        r"(p|pred|b1|box1|a|center|c)_?(cx|x|x_?c\w*|ctr_?x|center_?x|x1|x_1|x_p)|cx_?(1|a|p|"
        r"pred)|center_x_?1|x_?p|x_?c_?1"
    ),
    (
        r"(t|g|gt|target|b2|box2|b)_?(cx|x|x_?c\w*|ctr_?x|center_?x)|cx_?(2|b|t|g|gt|target)|"
        r"center_x_?2|x_?g|c_x2|x_?c_?2"
    ),
)
CY_A, CY_B = CX_A.replace("x", "y").replace("boy", "box"), CX_B.replace("x", "y").replace("boy", "box")
CENTERS = {
    "ca": r"(p|pred|b1|box1|a)_?(centers?|ctrs?|c|xy|cxcy)|(centers?|ctr|xy|c)_?(1|a|p|pred)",
    "cb": r"(t|g|gt|target|tgt|b2|box2|b)_?(centers?|ctrs?|c|xy|cxcy)|(centers?|ctr|xy|c)_?(2|b|t|g|gt|target)",
}
quantity(
    "the squared distance of the centres",
    (
        r"rho_?2?|rho_?sq\w*|d_?2|(center|ctr|inter)_?(dist\w*|diag)(2|_sq\w*)?|dist_?(c|center|"
        r"2|sq\w*)|p_?2|center_?d2?"
    ),
    {"xa": CX_A, "ya": CY_A, "xb": CX_B, "yb": CY_B} | CENTERS | CORNERS | PAIR,
    *pairs_of("((AL + AH - BL - BH) / 2).pow(2).sum(-1)"),
    *pairs_of("((AL + AH - BL - BH) / 2).pow(2).sum(-1).sqrt()"),
    "(xa - xb) ** 2 + (ya - yb) ** 2",
    "((xa - xb) ** 2 + (ya - yb) ** 2).sqrt()",
    "(ca - cb).pow(2).sum(-1)",
    "(ca - cb).pow(2).sum(-1).sqrt()",
    "(ca[:, None] - cb).pow(2).sum(-1)",
    "((ax1 + ax2 - bx1 - bx2) ** 2 + (ay1 + ay2 - by1 - by2) ** 2) / 4",
    "(a - b).pow(2).sum(-1)",
    "(a - b).pow(2).sum(-1).sqrt()",
    "(a - b).pow(2).sum(1)",
    unless=NOT_BOXES,
)
WA, HA = r"w_?(1|p|pred|a)|(p|pred|b1|a|box1|pr)_?(w|width)", r"h_?(1|p|pred|a)|(p|pred|b1|a|box1|pr)_?(h|height)"
WB, HB = (
    r"w_?(2|t|g|gt|b|target)|(t|g|gt|b2|b|box2|target)_?(w|width)",
    r"h_?(2|t|g|gt|b|target)|(t|g|gt|b2|b|box2|target)_?(h|height)",
)
SHAPES = [
    (f"({w2} / {h2})", f"({w1} / {h1})")
    for w1, h1, w2, h2 in (
        ("wa", "ha", "wb", "hb"),
        ("wa", "(ha + eps)", "wb", "(hb + eps)"),
        ("(a[..., 2] - a[..., 0])", "(a[..., 3] - a[..., 1])", "(b[..., 2] - b[..., 0])", "(b[..., 3] - b[..., 1])"),
        ("a[..., 2]", "a[..., 3]", "b[..., 2]", "b[..., 3]"),
        (
            "(a[..., 2] - a[..., 0])",
            "(a[..., 3] - a[..., 1] + eps)",
            "(b[..., 2] - b[..., 0])",
            "(b[..., 3] - b[..., 1] + eps)",
        ),
        ("a[..., 2]", "(a[..., 3] + eps)", "b[..., 2]", "(b[..., 3] + eps)"),
    )
]
quantity(
    "the consistency of the aspect ratios",
    r"v|aspect\w*|v_?ratio|ar",
    {
        "wa": WA,
        "ha": HA,
        "wb": WB,
        "hb": HB,
        "eps": EPS,
        "ra": r"(p|pred|1)_?(ratio|atan\w*|angle)|(atan|arctan|ratio)_?(1|p|pred)",
        "rb": r"(t|g|gt|target)_?(ratio|atan\w*|angle)|(atan|arctan|ratio)_?(2|t|g|gt|target)",
        "r": r"arctan|atan|atan_diff|angle_diff",
    }
    | PAIR,
    *(f"0.4052847 * (atan({two}) - atan({one})) ** 2" for two, one in SHAPES),
    "0.4052847 * (ra - rb) ** 2",
    "0.4052847 * (atan(ra) - atan(rb)) ** 2",
    "0.4052847 * r ** 2",
    unless=NOT_BOXES,
)
IOU = r"b?box_?iou|ious?|overlaps?|iou_(score|val\w*)"
quantity(
    "the weight of the aspect ratios",
    r"alpha\w*|a|trade_?off",
    {"v": r"v|aspect\w*|v_?ratio|ar", "i": IOU, "eps": EPS},
    "v / (1 - i + v)",
    "v / (1 - i + v + eps)",
    "v / (1 - i + v).clamp_min(eps)",
    "v / (v - i + (1 + eps))",
    "(i > 0.5) * v / (1 - i + v)",
    "(i > 0.5) * v / (1 - i + v + eps)",
    "(i >= 0.5) * v / (1 - i + v)",
    "(i >= 0.5) * v / (1 - i + v + eps)",
)
DISTANCE = {
    "r": r"rho_?2?|rho_?sq\w*|(center|ctr|inter)_?(dist\w*|diag\w*)|d_?2|dist_?(center|2|sq\w*)|p_?2",
    "c": r"c_?2|c_?sq\w*|diag\w*|(outer|enclos\w*|c)_diag\w*",
    "u": r"dist\w*|u|penalty|diou_term",
}
quantity(
    "the generalized overlap",
    r"(b?box_)?gious?|giou_\w*score",
    {"i": IOU, "c": C_AREA, "u": r"unions?|area_?u(nion)?|union_area|u", "eps": EPS},
    "i - (c - u) / c",
    "i - (c - u) / (c + eps)",
    "i - (c - u) / c.clamp_min(eps)",
)
quantity(
    "the overlap less the distance of the centres",
    r"(b?box_)?dious?",
    {"i": IOU, "eps": EPS} | DISTANCE,
    "i - r / c",
    "i - u",
    "i - r / (c + eps)",
    "i - r / c.clamp_min(eps)",
    "i - (r / c) ** 2",
)
quantity(
    "the complete overlap",
    r"(b?box_)?cious?",
    {"i": IOU, "v": r"v|aspect\w*|ar", "alpha": r"alpha\w*", "eps": EPS, "d": r"dious?"} | DISTANCE,
    "i - r / c - alpha * v",
    "i - u - alpha * v",
    "d - alpha * v",
    "i - r / (c + eps) - alpha * v",
    "i - r / c.clamp_min(eps) - alpha * v",
    "i - r / c - v * v / (1 - i + v)",
    "i - r / c - v * v / (1 - i + v + eps)",
    "i - r / (c + eps) - v * v / (1 - i + v + eps)",
    "i - u - v * v / (1 - i + v)",
    "i - u - v * v / (1 - i + v + eps)",
)
quantity(
    "the loss of an overlap of boxes",
    r"(loss_?)?[gdc]ious?_?loss(es)?|loss_?[gdc]?iou|loss(es)?",
    {"g": r"[gdcse]ious?"},
    "1 - g",
    "1 - g.clamp(-1, 1)",
    "-g",
    factor=True,
    reduced=True,
)
quantity(
    "the loss of the complete overlap",
    r"(ciou_?)?loss(es)?|loss_?ciou",
    {"i": IOU, "v": r"v|aspect\w*|ar", "alpha": r"alpha\w*"} | DISTANCE,
    "1 - i + r / c + alpha * v",
    "1 - i + u + alpha * v",
    "1 - (i - r / c - alpha * v)",
    "1 - i + r / c",
    "1 - i + u",
    factor=True,
    reduced=True,
)
