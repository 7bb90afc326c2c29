"""Depths, disparities, and images that are normalized."""

from losskit.checker.quantities.forms import EPS, quantity
from losskit.checker.quantities.tables.pixels import M, P, T

quantity(
    "the difference of the logarithms",
    r"log_?(diffs?|d|err(or)?|ratio|residual)|(diffs?|d|err)_?log|g_log",
    {
        "p": P,
        "t": T,
        "m": M,
        "eps": EPS,
        "lp": r"log_?(p|preds?|depth_?pred|est|x|y_?(pred|hat))|(pred|p|est)_?log|lp",
        "lt": r"log_?(t|gts?|targets?|true|y(_true)?)|(target|t|gt)_?log|lt",
    },
    *(
        f"{sign}({each})"
        for sign in ("", "-")
        for each in (
            "log(p) - log(t)",
            "lp - lt",
            "log(p + eps) - log(t + eps)",
            "log(p.clamp_min(eps)) - log(t.clamp_min(eps))",
            "log(p + 1) - log(t + 1)",
            "p - t",
            "m * (log(p) - log(t))",
            "(lp - lt) * m",
            "log10(p) - log10(t)",
        )
    ),
    "abs(log(p) - log(t))",
    "abs(lp - lt)",
)
LOGS = r"log_?(diffs?|d|err(or)?|ratio|residual)|(diffs?|d|err)_?log|d|g|e|diffs?"
quantity(
    "the error that a scale does not change",
    r"si_?log(_?(loss|err\w*))?|scale_inv\w*|si_?(loss|rmse|mse)|loss_?si\w*|silog_\w+",
    {"d": LOGS, "lam": r"lam(b?da?)?|lambd\w*|variance_focus|beta|alpha|lambd|var_focus|si_lambda"},
    *(
        form.format(
            f"(d.pow(2).mean({axes}) - {weight} * d.mean({axes}).pow(2))"
            if axes
            else f"(d.pow(2).mean() - {weight} * d.mean().pow(2))"
        )
        for axes in ("", "1", "-1")
        for weight in ("lam", "0.5", "0.85", "1", "0.15")
        for form in ("{}", "sqrt({})", "10 * sqrt({})", "100 * sqrt({})", "{}.mean()", "sqrt({}).mean()")
    ),
    *(
        form.format(f"(d.var() + {weight} * d.mean().pow(2))")
        for weight in ("0.15", "(1 - lam)", "lam")
        for form in ("{}", "sqrt({})", "10 * sqrt({})")
    ),
)
for disparity, depth in (
    (
        r"disp(arity|arities|s)?(_(pred|gt|map|est|target))?|inv(erse)?_?depth",
        r"depths?(_(pred|gt|map|est|target))?|z|d",
    ),
):
    RANGE = {
        "lo": r"min_?disp\w*",
        "hi": r"max_?disp\w*",
        "f": r"f|focal(_length)?|fx",
        "b": r"b|baseline",
        "eps": EPS,
        "least": r"min_?depth",
        "most": r"max_?depth",
    }
    quantity(
        "the depth of a disparity",
        depth.replace("|z|d", ""),
        RANGE | {"d": disparity + r"|scaled_disp"},
        "1 / d",
        "1 / (d + eps)",
        "1 / d.clamp_min(eps)",
        "f * b / d",
        "f * b / (d + eps)",
        "f * b / d.clamp_min(eps)",
        "1 / (lo + (hi - lo) * d)",
        "1 / (1 / most + (1 / least - 1 / most) * d)",
    )
    quantity(
        "the disparity of a depth",
        disparity,
        RANGE | {"d": depth},
        "1 / d",
        "1 / (d + eps)",
        "1 / d.clamp_min(eps)",
        "f * b / d",
        "f * b / (d + eps)",
        "f * b / d.clamp_min(eps)",
    )
quantity(
    "the scaled disparity",
    r"scaled_disp\w*|disp_scaled",
    RANGE | {"d": r"disps?(arity)?"},
    "lo + (hi - lo) * d",
    "1 / most + (1 / least - 1 / most) * d",
)
quantity(
    "the normalized disparity",
    r"(norm(alized)?_?disp\w*|disp_?norm(alized)?)",
    {"d": r"disps?(arity)?", "m": r"mean_?disp\w*|disp_?mean|mean|mu", "eps": EPS},
    "d / (m + 1e-7)",
    "d / (m + eps)",
    "d / d.flatten(1).mean(1).reshape(-1, *[1] * (d.dim() - 1))",
    "d / d.flatten(2).mean(2)[..., None, None]",
    "(d - m) / m",
)
quantity(
    "the normalized image",
    (
        r"(x|img|imgs|images?|inputs?|pred|target)_?(n|norm(alized|ed)?)|norm(alized|ed)?_?(x|"
        r"img|imgs|images?|input|pred|target)"
    ),
    {
        "x": r"x|img|imgs|images?|inputs?|pred\w*|target\w*",
        "m": r"means?|mu|shift",
        "s": r"stds?|sigma|scale",
        "v": r"var(iance)?",
        "eps": EPS,
    },
    *(f"(x - m{at}) / s{at}" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / (s{at} + eps)" for at in ("", "[:, None, None]", "[:, None]")),
    *(f"(x - m{at}) / (v{at} + eps).sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / v{at}.sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / (v{at} + 1e-6).sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    "(x - m[:, None, None]) / (v[:, None, None] + 1e-5).sqrt()",
)
