"""Boxes: areas, intersections, enclosing boxes, their overlaps, and conversions of coordinates."""

from losskit.checker.quantities.forms import EPS, quantity

A = r"(p|preds?|predictions?|pred_?b?boxes|pred_?bbox|p_boxes|b?box(es)?_?(1|a|p|pred)|b1|a|boxes|det\w*|out\w*|inputs?|bev1|src_boxes|proposals?)(_(xyxy|x1y1x2y2|cxcywh|xywh|box(es)?))?"
B = r"(t|targets?|tgt|gts?|g|truth|gt_?b?boxes|gt_?bbox|target_?b?box(es)?|b?box(es)?_?(2|b|t|g|gt|target)|b2|b|y|y_true|labels?|bev2|target_boxes)(_(xyxy|x1y1x2y2|cxcywh|xywh|box(es)?))?"
ANY = rf"{A}|{B}|x|bbox|box|b"
X1 = r"x_?1|x_?min|xmin|x_?tl|\w+_x_?(1|min)|x_?1_?\w|\wx1|x_?lo"
Y1 = r"y_?1|y_?min|ymin|y_?tl|\w+_y_?(1|min)|y_?1_?\w|\wy1|y_?lo"
X2 = r"x_?2|x_?max|xmax|x_?br|\w+_x_?(2|max)|x_?2_?\w|\wx2|x_?hi"
Y2 = r"y_?2|y_?max|ymax|y_?br|\w+_y_?(2|max)|y_?2_?\w|\wy2|y_?hi"
ONE = r"(b1|box1|boxes1|p|pred|a|pr|pb|det|d|bbox1|px)_?"
TWO = r"(b2|box2|boxes2|t|target|tgt|gt?|b|gb|bbox2|tr)_?"


def _corners(which: str, prefix: str, after: str) -> dict[str, str]:
    return {
        f"{which}x1": rf"{prefix}x_?(1|min)|{after}_?x_?1|x_?1_?{after}|x_?min_?{after}",
        f"{which}y1": rf"{prefix}y_?(1|min)|{after}_?y_?1|y_?1_?{after}|y_?min_?{after}",
        f"{which}x2": rf"{prefix}x_?(2|max)|{after}_?x_?2|x_?2_?{after}|x_?max_?{after}",
        f"{which}y2": rf"{prefix}y_?(2|max)|{after}_?y_?2|y_?2_?{after}|y_?max_?{after}",
    }


CORNERS = _corners("a", ONE, "p") | _corners("b", TWO, "(g|gt)")
PAIR = {"a": A, "b": B}
NOT_BOXES = "(a[..., 0] + b[..., 0]) / (a.shape[-1] == 4)"  # not finite, which fits all
# Corners of the first and the second box, as rows and as a table of pairs, for both conventions.
LAYOUTS = (
    ("a[..., :2]", "a[..., 2:4]", "b[..., :2]", "b[..., 2:4]"),
    ("a[:, None, :2]", "a[:, None, 2:4]", "b[..., :2]", "b[..., 2:4]"),
    ("a[:, :, None, :2]", "a[:, :, None, 2:4]", "b[:, None, :, :2]", "b[:, None, :, 2:4]"),
    (
        "(a[..., :2] - a[..., 2:4] / 2)",
        "(a[..., :2] + a[..., 2:4] / 2)",
        "(b[..., :2] - b[..., 2:4] / 2)",
        "(b[..., :2] + b[..., 2:4] / 2)",
    ),
    (
        "(a[:, None, :2] - a[:, None, 2:4] / 2)",
        "(a[:, None, :2] + a[:, None, 2:4] / 2)",
        "(b[..., :2] - b[..., 2:4] / 2)",
        "(b[..., :2] + b[..., 2:4] / 2)",
    ),
    ("(-a[..., :2])", "a[..., 2:4]", "(-b[..., :2])", "b[..., 2:4]"),  # distances to the sides
)


def _pairs(template: str) -> list[str]:
    """The template of AL, AH, BL and BH, the low and high corners of both."""
    return [
        template.replace("AL", low).replace("AH", high).replace("BL", other_low).replace("BH", other_high)
        for low, high, other_low, other_high in LAYOUTS
    ]


for what, choose, of, names in (
    (
        "left side of the intersection",
        "maximum",
        "x1",
        r"(inter|i|xi|ki|overlap)\w*_?x_?(1|min)|x_?i_?1|x_?kis_?1|inter_?left",
    ),
    (
        "top of the intersection",
        "maximum",
        "y1",
        r"(inter|i|yi|ki|overlap)\w*_?y_?(1|min)|y_?i_?1|y_?kis_?1|inter_?top",
    ),
    (
        "right side of the intersection",
        "minimum",
        "x2",
        r"(inter|i|xi|ki|overlap)\w*_?x_?(2|max)|x_?i_?2|x_?kis_?2|inter_?right",
    ),
    (
        "bottom of the intersection",
        "minimum",
        "y2",
        r"(inter|i|yi|ki|overlap)\w*_?y_?(2|max)|y_?i_?2|y_?kis_?2|inter_?bottom",
    ),
    ("left side of the enclosing box", "minimum", "x1", r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(1|min)|x_?c_?1"),
    ("top of the enclosing box", "minimum", "y1", r"(enclos\w*|c|hull|conv\w*|yc|outer)_?y_?(1|min)|y_?c_?1"),
    ("right side of the enclosing box", "maximum", "x2", r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(2|max)|x_?c_?2"),
    ("bottom of the enclosing box", "maximum", "y2", r"(enclos\w*|c|hull|conv\w*|yc|outer)_?y_?(2|max)|y_?c_?2"),
):
    at = {"x1": 0, "y1": 1, "x2": 2, "y2": 3}[of]
    quantity(
        f"the {what}",
        names,
        CORNERS | PAIR,
        f"{choose}(a{of}, b{of})",
        f"{choose}(a{of}[:, None], b{of})",
        f"{choose}(a[..., {at}], b[..., {at}])",
        f"{choose}(a[:, None, {at}], b[..., {at}])",
        f"{choose}(a[..., {at % 2}] {'+-'[at < 2]} a[..., {at % 2 + 2}] / 2,"
        f" b[..., {at % 2}] {'+-'[at < 2]} b[..., {at % 2 + 2}] / 2)",
    )
LOW = r"(inter|i|overlap)?_?(lt|tl|left_?top|top_?left|ul|upleft)s?"
HIGH = r"(inter|i|overlap)?_?(rb|br|right_?bottom|bottom_?right|lr|downright)s?"
C_LOW = (
    r"((enclos\w*|c|hull|conv\w*|outer|e)_(lt|tl|left_?top|top_?left|lo|mins?)s?|lti|tlc|ltc|(outer|enclose)_?left_?up)"
)
C_HIGH = r"((enclos\w*|c|hull|conv\w*|outer|e)_(rb|br|right_?bottom|bottom_?right|hi|maxs?|maxes)s?|rbi|brc|rbc|(outer|enclose)_?right_?down)"
quantity("the top left corner of the intersection", LOW, PAIR, *_pairs("maximum(AL, BL)"))
quantity("the bottom right corner of the intersection", HIGH, PAIR, *_pairs("minimum(AH, BH)"))
quantity("the top left corner of the enclosing box", C_LOW, PAIR, *_pairs("minimum(AL, BL)"))
quantity("the bottom right corner of the enclosing box", C_HIGH, PAIR, *_pairs("maximum(AH, BH)"))
quantity(
    "the size of the intersection",
    r"(inter|i|overlap|intersection)_?(wh|size|hw|dims?)",
    {"l": LOW, "h": HIGH} | PAIR,
    "(h - l).clamp_min(0)",
    "(h - l + 1).clamp_min(0)",
    *_pairs("(minimum(AH, BH) - maximum(AL, BL)).clamp_min(0)"),
)
quantity(
    "the size of the intersection",
    r"wh|whs|w_?h",
    {"l": LOW, "h": HIGH},
    "(h - l).clamp_min(0)",
    "(h - l + 1).clamp_min(0)",
    "h - l",
)
quantity(
    "the size of the enclosing box",
    r"(enclos\w*|c|hull|conv\w*|outer|e)_?(wh|size|hw|dims?)|whi|whc|outer_wh|wh_?(c|enclose)",
    {"cl": C_LOW, "ch": C_HIGH} | PAIR,
    "ch - cl",
    "(ch - cl).clamp_min(0)",
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0)"),
    *_pairs("maximum(AH, BH) - minimum(AL, BL)"),
)
W_INTER = r"(inter|i|overlap|intersection)_?(w|width|ws)|(w|width)_?(i|inter|intersection|overlap)|iw"
H_INTER = r"(inter|i|overlap|intersection)_?(h|height|hs)|(h|height)_?(i|inter|intersection|overlap)|ih"
IX1, IX2 = (
    r"(inter|i|xi|ki)?\w*_?x_?(1|min)|x_?i_?1|x_?kis_?1|(inter_?)?(left|x_?left)",
    r"(inter|i|xi|ki)?\w*_?x_?(2|max)|x_?i_?2|x_?kis_?2|(inter_?)?(right|x_?right)",
)
IY1, IY2 = (
    r"(inter|i|yi|ki)?\w*_?y_?(1|min)|y_?i_?1|y_?kis_?1|(inter_?)?(top|y_?top)",
    r"(inter|i|yi|ki)?\w*_?y_?(2|max)|y_?i_?2|y_?kis_?2|(inter_?)?(bottom|y_?bottom)",
)
INTER_CORNERS = {"x1": IX1, "y1": IY1, "x2": IX2, "y2": IY2}
SPAN = "(minimum({0}{2}2, {1}{2}2) - maximum({0}{2}1, {1}{2}1)).clamp_min(0)"
quantity(
    "the width of the intersection",
    W_INTER,
    CORNERS | INTER_CORNERS,
    "(x2 - x1).clamp_min(0)",
    "(x2 - x1 + 1).clamp_min(0)",
    SPAN.format("a", "b", "x"),
)
quantity(
    "the height of the intersection",
    H_INTER,
    CORNERS | INTER_CORNERS,
    "(y2 - y1).clamp_min(0)",
    "(y2 - y1 + 1).clamp_min(0)",
    SPAN.format("a", "b", "y"),
)
INTERS = [
    "(h - l).clamp_min(0).prod(-1)",
    "(h - l + 1).clamp_min(0).prod(-1)",
    SPAN.format("a", "b", "x") + " * " + SPAN.format("a", "b", "y"),
    "w * v",
    "(x2 - x1).clamp_min(0) * (y2 - y1).clamp_min(0)",
    "(x2 - x1 + 1).clamp_min(0) * (y2 - y1 + 1).clamp_min(0)",
    "wh.prod(-1)",
    "wh.clamp_min(0).prod(-1)",
]
quantity(
    "the area of the intersection",
    r"area_i(nter)?|inter_?area|intersection_?area|overlap_?area|overlaps?|inter(section)?s?|intersect",
    {"w": W_INTER, "v": H_INTER, "wh": r"(inter|overlap|i|intersection)?_?wh\w?", "l": LOW, "h": HIGH}
    | CORNERS
    | {
        "x1": r"x_?1|x_?min|left|x_?left|\w*i\w*_?x_?(1|min)|ix1|x_?kis_?1",
        "y1": r"y_?1|y_?min|top|y_?top|\w*i\w*_?y_?(1|min)|y_?kis_?1",
    }
    | {
        "x2": r"x_?2|x_?max|right|x_?right|\w*i\w*_?x_?(2|max)|x_?kis_?2",
        "y2": r"y_?2|y_?max|bottom|y_?bottom|\w*i\w*_?y_?(2|max)|y_?kis_?2",
    },
    *INTERS,
)
for which, of in (("first", "a"), ("second", "b")):
    quantity(
        f"the area of the {which} box",
        r"(box|b|bbox|pred|p|gt|g|target|t|true|pr|det|c|enclos\w*|hull|union)?_?(areas?|vol)(_?(1|2|a|b|p|g|t|c|gt|pred|target|tgt|boxes\d?|bbox\d?|box\d?|d))?",
        {of: {"a": A, "b": B}[of], "x1": X1, "y1": Y1, "x2": X2, "y2": Y2} | ({"eps": EPS} if of == "a" else {}),
        *(
            form.replace("q", of)
            for form in (
                "(q[..., 2] - q[..., 0]) * (q[..., 3] - q[..., 1])",
                "(q[..., 2:4] - q[..., :2]).clamp_min(0).prod(-1)",
                "(q[..., 2] - q[..., 0] + 1) * (q[..., 3] - q[..., 1] + 1)",
                "q[..., 2] * q[..., 3]",
                "q[..., 2:4].clamp_min(0).prod(-1)",
                "(q[..., 0] + q[..., 2]) * (q[..., 1] + q[..., 3])",
                "q[..., 3:6].prod(-1)",
                "q[..., 0] / (q.shape[-1] == 4)",
                "(q > 0.5).flatten(1).sum(1)",
                "q.sum(1)",
                "q.flatten(1).sum(1)",
            )
        ),
        "(x2 - x1) * (y2 - y1)",
        "(x2 - x1).clamp_min(0) * (y2 - y1).clamp_min(0)",
        "(x2 - x1 + 1) * (y2 - y1 + 1)",
        *(("(x2 - x1) * (y2 - y1) + eps",) if of == "a" else ()),
    )
C_AREA = r"area_?c|c_?area|(area_?)?(enclos(e|ing|ure)|hull|convex|outer|cover)(_?area)?s?|ac|smallest_area|area_(enclos\w*|hull|convex)"
C_WH = r"(enclos\w*|c|hull|conv\w*|outer|e)_?wh|whi|whc"
CW, CH = r"(enclos\w*|c|hull|conv\w*|outer|e)_?(w|width)|w_?c", r"(enclos\w*|c|hull|conv\w*|outer|e)_?(h|height)|h_?c"
CX1, CX2 = (
    r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(1|min)|x_?c_?1",
    r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(2|max)|x_?c_?2",
)
CY1, CY2 = CX1.replace("x", "y"), CX2.replace("x", "y")
HULL = {"wh": C_WH, "w": CW, "v": CH, "cl": C_LOW, "ch": C_HIGH, "x1": CX1, "y1": CY1, "x2": CX2, "y2": CY2, "eps": EPS}
HULL |= PAIR
quantity(
    "the area of the enclosing box",
    C_AREA,
    HULL,
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).prod(-1)"),
    *_pairs("maximum(AH, BH) - minimum(AL, BL)"),  # its size
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).prod(-1) + eps"),
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
    NOT_BOXES,
)
quantity(
    "the squared diagonal of the enclosing box",
    r"c_?2|c_?sq\w*|diag\w*(2|_sq\w*)?|(enclos\w*|c|outer)_diag\w*|diagonal\w*|outer_diag",
    HULL,
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0).pow(2).sum(-1)"),
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1)"),
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1) + eps"),
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1).clamp_min(eps)"),
    *_pairs("(maximum(AH, BH) - minimum(AL, BL)).pow(2).sum(-1).sqrt()"),
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
    NOT_BOXES,
)
CX_A, CX_B = (
    r"(p|pred|b1|box1|a|center|c)_?(cx|x|x_?c\w*|ctr_?x|center_?x|x1|x_1|x_p)|cx_?(1|a|p|pred)|center_x_?1|x_?p|x_?c_?1",
    r"(t|g|gt|target|b2|box2|b)_?(cx|x|x_?c\w*|ctr_?x|center_?x)|cx_?(2|b|t|g|gt|target)|center_x_?2|x_?g|c_x2|x_?c_?2",
)
CY_A, CY_B = CX_A.replace("x", "y").replace("boy", "box"), CX_B.replace("x", "y").replace("boy", "box")
CENTERS = {
    "ca": r"(p|pred|b1|box1|a)_?(centers?|ctrs?|c|xy|cxcy)|(centers?|ctr|xy|c)_?(1|a|p|pred)",
    "cb": r"(t|g|gt|target|tgt|b2|box2|b)_?(centers?|ctrs?|c|xy|cxcy)|(centers?|ctr|xy|c)_?(2|b|t|g|gt|target)",
}
quantity(
    "the squared distance of the centres",
    r"rho_?2?|rho_?sq\w*|d_?2|(center|ctr|inter)_?(dist\w*|diag)(2|_sq\w*)?|dist_?(c|center|2|sq\w*)|p_?2|center_?d2?",
    {"xa": CX_A, "ya": CY_A, "xb": CX_B, "yb": CY_B} | CENTERS | CORNERS | PAIR,
    *_pairs("((AL + AH - BL - BH) / 2).pow(2).sum(-1)"),
    *_pairs("((AL + AH - BL - BH) / 2).pow(2).sum(-1).sqrt()"),
    "(xa - xb) ** 2 + (ya - yb) ** 2",
    "((xa - xb) ** 2 + (ya - yb) ** 2).sqrt()",
    "(ca - cb).pow(2).sum(-1)",
    "(ca - cb).pow(2).sum(-1).sqrt()",
    "(ca[:, None] - cb).pow(2).sum(-1)",
    "((ax1 + ax2 - bx1 - bx2) ** 2 + (ay1 + ay2 - by1 - by2) ** 2) / 4",
    "(a - b).pow(2).sum(-1)",
    "(a - b).pow(2).sum(-1).sqrt()",
    "(a - b).pow(2).sum(1)",
    "(a[:, None] - b).pow(2).sum(-1)",
    NOT_BOXES,
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
    NOT_BOXES,
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
for axis, low, high, extent in (("x", X1, X2, "width"), ("y", Y1, Y2, "height")):
    center = rf"(p|pred|t|g|gt|target|box|b\d|b)?_?c_?{axis}\d?|{axis}_?(c|ctr|cent(er|re))|ctr_?{axis}|cent(er|re)_?{axis}\w?|\w+_ctr_{axis}"
    span = rf"{extent[0]}s?|{extent}s?|\w+_{extent[0]}|\w+_{extent}s?|{extent[0]}_?\w|\w+_{extent[0]}s"
    quantity(
        f"the centre along {axis}",
        center,
        {"low": low, "high": high, "w": span},
        "(low + high) / 2",
        "low + w / 2",
        "high - w / 2",
        "low + (w - 1) / 2",
        "low + (high - low) / 2",
    )
    quantity(
        f"the {extent} of a box",
        span,
        {"low": low, "high": high, "eps": EPS},
        "high - low",
        "(high - low).clamp_min(0)",
        "high - low + 1",
        "(high - low + 1).clamp_min(0)",
        "high - low + eps",
        "(high - low).clamp_min(eps)",
    )
    quantity(
        f"the low end along {axis}",
        low,
        {"c": center, "w": span},
        "c - w / 2",
        "c - w",  # of half an extent
        "c - (w - 1) / 2",
    )
    quantity(
        f"the high end along {axis}",
        high,
        {"c": center, "w": span},
        "c + w / 2",
        "c + w",
        "c + (w - 1) / 2",
    )
    own = rf"(src|ex|anchor|a|prior|p|proposal|pred|roi|ref)_?({extent[0]}s?|{extent}s?|wh)"
    gt = rf"(gt|g|tgt|target|t|dst|box)_?({extent[0]}s?|{extent}s?)"
    quantity(
        f"the shift along {axis}, in units of the anchor",
        rf"(targets?_)?(d|t|delta|offset)_?{axis}s?|g_?hat_?{axis}",
        {
            "g": rf"(gt|g|tgt|target|dst)_?(ctr_?|c|center_?)?{axis}s?|{axis}_?gt?",
            "p": rf"(src|ex|anchor|a|prior|p|proposal|roi|ref)_?(ctr_?|c|center_?)?{axis}s?|{axis}_?a",
            "w": own,
        },
        "(g - p) / w",
        factor=True,
    )
    quantity(
        f"the logarithm of the ratio of the {extent}s",
        rf"(targets?_)?(d|t|delta|offset)_?{extent[0]}s?|g_?hat_?{extent[0]}",
        {"g": gt, "w": own},
        "log(g / w)",
        factor=True,
    )
