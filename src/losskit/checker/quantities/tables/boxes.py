"""Boxes: areas, intersections, enclosing boxes, their overlaps, and conversions of coordinates."""

from losskit.checker.quantities.forms import quantity

A = (
    r"(p|preds?|predictions?|pred_?b?boxes|pred_?bbox|p_boxes|b?box(es)?_?(1|a|p|pred)|b1|a|"
    r"boxes|det\w*|out\w*|inputs?|bev1|src_boxes|proposals?)(_(xyxy|x1y1x2y2|cxcywh|xywh|box(es)?))?"
)
B = (
    r"(t|targets?|tgt|gts?|g|truth|gt_?b?boxes|gt_?bbox|target_?b?box(es)?|b?box(es)?_?(2|b|"
    r"t|g|gt|target)|b2|b|y|y_true|labels?|bev2|target_boxes)(_(xyxy|x1y1x2y2|cxcywh|xywh|box(es)?))?"
)
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
NOT_BOXES = "a.shape[-1] != 4"
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


def pairs_of(template: str) -> list[str]:
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
    r"((enclos\w*|c|hull|conv\w*|outer|e)_(lt|tl|left_?top|top_?left|lo|mins?)s?|lti|tlc|"
    r"ltc|(outer|enclose)_?left_?up)"
)
C_HIGH = (
    r"((enclos\w*|c|hull|conv\w*|outer|e)_(rb|br|right_?bottom|bottom_?right|hi|maxs?|"
    r"maxes)s?|rbi|brc|rbc|(outer|enclose)_?right_?down)"
)
quantity("the top left corner of the intersection", LOW, PAIR, *pairs_of("maximum(AL, BL)"))
quantity("the bottom right corner of the intersection", HIGH, PAIR, *pairs_of("minimum(AH, BH)"))
quantity("the top left corner of the enclosing box", C_LOW, PAIR, *pairs_of("minimum(AL, BL)"))
quantity("the bottom right corner of the enclosing box", C_HIGH, PAIR, *pairs_of("maximum(AH, BH)"))
quantity(
    "the size of the intersection",
    r"(inter|i|overlap|intersection)_?(wh|size|hw|dims?)",
    {"l": LOW, "h": HIGH} | PAIR,
    "(h - l).clamp_min(0)",
    "(h - l + 1).clamp_min(0)",
    *pairs_of("(minimum(AH, BH) - maximum(AL, BL)).clamp_min(0)"),
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
    *pairs_of("(maximum(AH, BH) - minimum(AL, BL)).clamp_min(0)"),
    *pairs_of("maximum(AH, BH) - minimum(AL, BL)"),
)
