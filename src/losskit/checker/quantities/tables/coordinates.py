"""Coordinates of boxes: centres, extents and shifts."""

from losskit.checker.quantities.forms import EPS, quantity
from losskit.checker.quantities.tables.boxes import X1, X2, Y1, Y2

for axis, low, high, extent in (("x", X1, X2, "width"), ("y", Y1, Y2, "height")):
    center = (
        rf"(p|pred|t|g|gt|target|box|b\d|b)?_?c_?{axis}\d?|{axis}_?(c|ctr|cent(er|re))|"
        rf"ctr_?{axis}|cent(er|re)_?{axis}\w?|\w+_ctr_{axis}"
    )
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
