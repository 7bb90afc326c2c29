"""Margins on angles: sines, shifted cosines, and the logits made of them."""

from losskit.checker.quantities.forms import quantity

COS = r"cos(ine)?s?|cos_?(theta|t|sim\w*)|cosine_?\w*|cos_target|costh\w*"
SIN = r"sin(e)?s?|sin_?(theta|t)|sine_?\w*"
PHI = (
    r"phis?|cos_?(theta_?m|m_theta|phi|plus_m\w*|shifted|margin)|cos_theta_plus_m|"
    r"shifted\w*|with_margin|arc|cos_mt|x_m|final_target\w*"
)
HOT = r"(y_?)?one_?hot(_\w+)?|hot|\w+_one_?hot|index|hit|mask|is_target|y_?oh"
M, S = r"m|margin|angular_margin|margin_m", r"s|scale|scaling|norm_s|scale_s"
CM, SM = r"cos_?m(argin)?|cosm", r"sin_?m(argin)?|sinm"
TH, MM = r"th|threshold|thresh|cos_pi_m", r"mm|m_?sin\w*|sin_pi_m\w*"
SHAPE = {"cm": CM, "sm": SM, "th": TH, "mm": MM, "s": SIN, "theta": r"thetas?|angles?", "sc": S, "m": M, "c": COS}
quantity("the sine", SIN, {"c": COS}, "sqrt((1 - c**2).clamp_min(0))", "sqrt(1 - c**2 + 1e-6)")
quantity(
    "the angle",
    r"thetas?|angles?|arc_?cos|angle_theta",
    {"c": COS},
    "acos(c.clamp(-1, 1))",
    "acos(c.clamp(-0.999999, 0.999999))",
    "acos(c.clamp(-0.999, 0.999))",
    "acos(((c - 1) / 2).clamp(-1, 1))",
    "2 * acos(abs(c).clamp_max(1))",
    "acos(c.diagonal(0, -2, -1).sum(-1) / 2 - 0.5)",
)
SUM = (
    "c * cm - s * sm",
    "c * cm - sqrt((1 - c**2).clamp_min(0)) * sm",
    "cos(theta + m)",
    "cos(acos(c.clamp(-1, 1)) + m)",
    "c * cos(m) - s * sin(m)",
    "cos(acos(c.clamp(-0.999999, 0.999999)) + m)",
)
quantity(
    "the cosine of the angle and the margin",
    PHI,
    SHAPE,
    *SUM,
    *(f"where(c > th, {each}, c - mm)" for each in SUM),
    *(f"where(c > 0, {each}, c)" for each in SUM),
    *(f"where(c - th > 0, {each}, c - mm)" for each in SUM[:2]),
    "where(c > -cm, c * cm - s * sm, c - m * sm)",
    "where(c > th, cos(theta + m), c - sm * m)",
    "c - m",
    "cos(theta + m).clamp(-1, 1)",
    "cos((theta + m).clamp(0, 3.14159265))",
    "c - m * sc",
)
MIXED = ("where(h.bool(), phi, c)", "h * phi + (1 - h) * c", "c - h * m", "where(h.bool(), c - m, c)")
quantity(
    "the logits with the margin at the truth",
    r"outputs?|out|logits?|final_?\w*|margin_logits|scaled\w*|adjusted\w*|logits_m",
    {"h": HOT, "phi": PHI, "s": S, "m": M, "c": COS},
    *MIXED,
    *(f"s * ({each})" for each in MIXED),
    binary=("h",),
)
quantity(
    "the cosine less the margin, scaled",
    r"logits?|outputs?|out|adjusted\w*|scaled\w*|final_logits",
    {
        "h": HOT,
        "phi": PHI,
        "s": S,
        "m": M + r"|margins?|one_?hot_?margin|m_hot|delta",
        "c": r"cos(ine)?s?|cos_?(theta|sim\w*)|cosine_?\w*",
    },
    "s * (c - m)",
    "c - m",
    "s * c",
    "c - s * m",
)
