"""Derivatives by differences."""

from losskit.checker.quantities.quantity import quantity

FIELD = r"u|v|w|p|f|phi|psi|x|y|s|pred\w*|field|fields?|out(put)?|q|c|h|t|z|temp\w*"
STEP = r"d[xytz]|h[xy]?|delta_?[xytz]|step(_size)?|spacing|grid_?(spacing|size)"
_SLICED = {"-1": "[..., {}]", "-2": "[..., {}, :]", "1": "[:, {}]", "0": "[{}]", "2": "[:, :, {}]"}
_CROPS = ("1:-1", "1:", ":-1", ":-2", "2:")
_CROPPED = [
    form.replace("CROP", crop)
    for form in ("[..., CROP, {}]", "[..., {}, CROP]", "[:, CROP, {}]", "[:, {}, CROP]")
    for crop in _CROPS
]
_PLACES = [*_SLICED.values(), *_CROPPED]


def _between(form: str) -> list[str]:
    """A difference along each axis, of the words AFTER, HERE and BEFORE."""
    made = [form] * len(_PLACES)
    for word, place in (("AFTER", "2:"), ("HERE", "1:-1"), ("BEFORE", ":-2")):
        made = [each.replace(word, "u" + at.format(place)) for each, at in zip(made, _PLACES, strict=True)]
    return made


def _rolled(form: str) -> list[str]:
    return [
        form.replace("AFTER", f"u.roll(-1, {axis})").replace("HERE", "u").replace("BEFORE", f"u.roll(1, {axis})")
        for axis in _SLICED
    ]


_CENTRAL, _SECOND = "(AFTER - BEFORE) / (2 * h)", "(AFTER - 2 * HERE + BEFORE) / h**2"
_FORWARD = ["(u" + at.format("1:") + " - u" + at.format(":-1") + ") / h" for at in _PLACES]
quantity(
    "the first derivative by differences",
    r"d?(u|v|p|f|w|phi|psi|t|q|c|h)_?d?[xytz]|d(u|v|p|f|w)_?d[xytz]|grad_?[xytz]|deriv(ative)?s?|velocity|speed",
    {"h": STEP, "u": FIELD},
    *_between(_CENTRAL),
    *_rolled(_CENTRAL),
    *_rolled("(AFTER - HERE) / h"),
    *_rolled("(HERE - BEFORE) / h"),
    *_FORWARD,
)
quantity(
    "the second derivative by differences",
    (
        r"(u|v|p|f|w|phi|psi|t|q|c|h)_?(xx|yy|tt|zz)|d2(u|v|p|f|w)(_?d[xytz]2?)?|(u|"
        r"v)_dd[xyt]|laplacian|lap|accel(eration)?"
    ),
    {"h": STEP, "u": FIELD},
    *_between(_SECOND),
    *_rolled(_SECOND),
    "(u.roll(-1, -1) + u.roll(1, -1) + u.roll(-1, -2) + u.roll(1, -2) - 4 * u) / h**2",
    "(u[..., 1:-1, 2:] + u[..., 1:-1, :-2] + u[..., 2:, 1:-1] + u[..., :-2, 1:-1] - 4 * u[..., 1:-1, 1:-1]) / h**2",
    *_FORWARD,
)
