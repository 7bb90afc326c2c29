"""Areas of boxes, of their intersections, and the names of enclosing boxes."""

from losskit.checker.quantities.forms import EPS, quantity
from losskit.checker.quantities.tables.boxes import C_HIGH, C_LOW, CORNERS, HIGH, LOW, PAIR, X1, X2, Y1, Y2, A, B

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
        (
            r"(box|b|bbox|pred|p|gt|g|target|t|true|pr|det|c|enclos\w*|hull|union)?_?(areas?|"
            r"vol)(_?(1|2|a|b|p|g|t|c|gt|pred|target|tgt|boxes\d?|bbox\d?|box\d?|d))?"
        ),
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
C_AREA = (
    r"area_?c|c_?area|(area_?)?(enclos(e|ing|ure)|hull|convex|outer|cover)(_?area)?s?|ac|"
    r"smallest_area|area_(enclos\w*|hull|convex)"
)
C_WH = r"(enclos\w*|c|hull|conv\w*|outer|e)_?wh|whi|whc"
CW, CH = r"(enclos\w*|c|hull|conv\w*|outer|e)_?(w|width)|w_?c", r"(enclos\w*|c|hull|conv\w*|outer|e)_?(h|height)|h_?c"
CX1, CX2 = (
    r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(1|min)|x_?c_?1",
    r"(enclos\w*|c|hull|conv\w*|xc|outer)_?x_?(2|max)|x_?c_?2",
)
CY1, CY2 = CX1.replace("x", "y"), CX2.replace("x", "y")
HULL = {"wh": C_WH, "w": CW, "v": CH, "cl": C_LOW, "ch": C_HIGH, "x1": CX1, "y1": CY1, "x2": CX2, "y2": CY2, "eps": EPS}
HULL |= PAIR
