"""Errors of pixels, depths, flows and signals."""

from losskit.checker.quantities.forms import EPS, measured, quantity

P = r"p|preds?|predictions?|predicted|outputs?|y_?(pred|hat)|est|inputs?|sr|fake|recon\w*|x_?(hat|rec\w*)|pred_?(depth|disp|flow|d)|(depth|disp|flow|d)_?(pred|est|hat)|flow|x|student\w*"
T = r"t|tgt|targets?|y|gts?|truth|y_?true|ground_?truth|ref|hr|real|(gt|target|true)_?(depth|disp|flow|d)|(depth|disp|flow|d)_?(gt|target|true)|labels?|actual|teacher\w*"
DIFF = r"diffs?|delta|residuals?"
M = r"m|masks?|valid(_?mask)?|keep|w|weights?"
measured(
    "the absolute error",
    r"l1(_?(loss|err\w*|diff|map|dist))?|mae|abs_?(err(or)?s?|diffs?|residuals?|d|delta)|absolute_?\w*|loss_?l1",
    {"p": P, "t": T, "d": DIFF, "m": M},
    "(p - t).abs()",
    "d.abs()",
    "(p - t).abs() * m",
    "d.abs() * m",
    "((p - t).abs() * m).sum() / m.sum()",
    "((p - t).abs() * (t > 0)).sum() / (t > 0).sum()",
    "(p - t).abs() * (t > 0)",
    "(sigmoid(p) - t).abs()",
    "(log(p) - log(t)).abs()",
    "((p - t).abs() * m).sum() / m.sum().clamp_min(1)",
    "(p - t).abs().sum(1)",
    "(p - t).abs().sum(-1)",
    "(p - t).abs().flatten(1).sum(1)",
    "d.abs().sum(-1)",
)
measured(
    "the squared error",
    r"l2(_?(loss|err\w*|map))?|mse(_?loss)?|(sq(uared)?|square)_?(err(or)?s?|diffs?|residuals?)|se|loss_?(mse|l2)|err_sq|error2",
    {"p": P, "t": T, "d": DIFF, "m": M},
    "(p - t) ** 2",
    "0.5 * (p - t) ** 2",
    "d ** 2",
    "d / (d.min() < 0)",  # squared before
    "0.5 * d ** 2",
    "((p - t) ** 2 * (t > 0)).sum() / (t > 0).sum()",
    "(sigmoid(p) - t) ** 2",
    "(softmax(p, 1) - t) ** 2",
    "(softmax(p, 1) - softmax(t, 1)) ** 2",
    "(p / p.norm(2, 1, True) - t / t.norm(2, 1, True)) ** 2",
    "(p / p.norm(2, -1, True) - t / t.norm(2, -1, True)) ** 2",
    "((p / p.norm(2, -1, True) - t / t.norm(2, -1, True)) ** 2).sum(-1)",
    "(p - t) ** 2 * m",
    "(m * (p - t)) ** 2",
    "d ** 2 * m",
    "((p - t) ** 2 * m).sum() / m.sum()",
    "((p - t) ** 2 * m).sum() / m.sum().clamp_min(1)",
    "((p - t) ** 2).flatten(1).sum(1)",
    "((p - t) ** 2).sum(1)",
    "((p - t) ** 2).sum(-1)",
    "((p - t) ** 2).sum(1).sqrt()",
    "((p - t) ** 2).sum(-1).sqrt()",
    "(log1p(p) - log1p(t)) ** 2",
    "(log(p) - log(t)) ** 2",
)
measured(
    "the root of the squared error",
    r"rmse(_?loss)?|root_?mse",
    {"e": r"mse|l2|(mean_)?sq\w*", "p": P, "t": T},
    "sqrt(e)",
    "sqrt(((p - t) ** 2).mean())",
    "sqrt(((p - t) ** 2).flatten(1).mean(1))",
    "sqrt(((p - t) ** 2).mean(0))",
    "sqrt(e.mean())",
    "sqrt((log(p) - log(t)).pow(2).mean())",
)
measured(
    "the Charbonnier error",
    r"char(b|bonnier)(_?(loss|err\w*))?|loss_?char\w*",
    {"p": P, "t": T, "d": DIFF, "eps": EPS},
    "sqrt((p - t) ** 2 + eps ** 2)",
    "sqrt((p - t) ** 2 + eps)",
    "sqrt((p - t) ** 2 + 1e-6)",
    "sqrt(d ** 2 + eps ** 2)",
    "sqrt(d ** 2 + eps)",
    "sqrt(d ** 2 + 1e-6)",
    "((p - t) ** 2 + eps ** 2) ** 0.45",
    "((p - t) ** 2 + 1e-6) ** 0.45",
)
quantity(
    "the ratio of the peak to the error, in decibels",
    r"psnr(s|_\w+)?",
    {"e": r"mse|l2|sq_err\w*|err(or)?", "m": r"max_?(val(ue)?|i|pixel)?|peak|data_range|range", "eps": EPS},
    "10 * log10(1 / e)",
    "10 * log10(1 / (e + eps))",
    "10 * log10(m ** 2 / e)",
    "10 * log10(m ** 2 / (e + eps))",
    "10 * log10(65025 / e)",
    "10 * log10(4 / e)",
    "20 * log10(m / sqrt(e))",
)
measured(
    "the distance of the end points",
    r"epe(_?(loss|map|err\w*))?|end_?point_?\w*|flow_?(err(or)?|loss)",
    {"p": P + r"|flow_?preds?|preds?_?flow", "t": T, "d": DIFF, "m": M, "eps": EPS},
    *(f"(({p} - t) ** 2).sum({axis}).sqrt()" for axis in (1, -1) for p in ("p", "p[-1]")),
    *(f"(((p - t) ** 2).sum({axis}) + eps).sqrt()" for axis in (1, -1)),
    *(f"(((p - t) ** 2).sum({axis}) + eps ** 2).sqrt()" for axis in (1, -1)),
    *(f"(d ** 2).sum({axis}).sqrt()" for axis in (1, -1)),
    *(f"(((p - t) ** 2).sum({axis}).sqrt() * m).sum() / m.sum()" for axis in (1, -1)),
    *(f"(((p - t) ** 2).sum({axis}).sqrt() * m).sum() / m.sum().clamp_min(1)" for axis in (1, -1)),
    *(f"((p - t) ** 2).sum({axis}).sqrt() * m" for axis in (1, -1)),
    "(p - t).abs()",
    "(p - t).abs().sum(1)",
    "(p - t).abs().sum(1) * m",
)
quantity(
    "the difference of the logarithms",
    r"log_?(diffs?|d|err(or)?|ratio|residual)|(diffs?|d|err)_?log|g_log",
    {"p": P, "t": T, "m": M, "eps": EPS, "lp": r"log_?(p|preds?|depth_?pred|est|x|y_?(pred|hat))|(pred|p|est)_?log|lp", "lt": r"log_?(t|gts?|targets?|true|y(_true)?)|(target|t|gt)_?log|lt"},
    *(f"{sign}({each})" for sign in ("", "-") for each in ("log(p) - log(t)", "lp - lt", "log(p + eps) - log(t + eps)", "log(p.clamp_min(eps)) - log(t.clamp_min(eps))", "log(p + 1) - log(t + 1)", "p - t", "m * (log(p) - log(t))", "(lp - lt) * m", "log10(p) - log10(t)")),
    "abs(log(p) - log(t))",
    "abs(lp - lt)",
)
LOGS = r"log_?(diffs?|d|err(or)?|ratio|residual)|(diffs?|d|err)_?log|d|g|e|diffs?"
quantity(
    "the error that a scale does not change",
    r"si_?log(_?(loss|err\w*))?|scale_inv\w*|si_?(loss|rmse|mse)|loss_?si\w*|silog_\w+",
    {"d": LOGS, "lam": r"lam(b?da?)?|lambd\w*|variance_focus|beta|alpha|lambd|var_focus|si_lambda"},
    *(
        form.format(f"(d.pow(2).mean({axes}) - {weight} * d.mean({axes}).pow(2))" if axes else f"(d.pow(2).mean() - {weight} * d.mean().pow(2))")
        for axes in ("", "1", "-1")
        for weight in ("lam", "0.5", "0.85", "1", "0.15")
        for form in ("{}", "sqrt({})", "10 * sqrt({})", "100 * sqrt({})", "{}.mean()", "sqrt({}).mean()")
    ),
    *(form.format(f"(d.var() + {weight} * d.mean().pow(2))") for weight in ("0.15", "(1 - lam)", "lam") for form in ("{}", "sqrt({})", "10 * sqrt({})")),
)
for disparity, depth in ((r"disp(arity|arities|s)?(_(pred|gt|map|est|target))?|inv(erse)?_?depth", r"depths?(_(pred|gt|map|est|target))?|z|d"),):
    RANGE = {"lo": r"min_?disp\w*", "hi": r"max_?disp\w*", "f": r"f|focal(_length)?|fx", "b": r"b|baseline", "eps": EPS, "least": r"min_?depth", "most": r"max_?depth"}
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
quantity("the scaled disparity", r"scaled_disp\w*|disp_scaled", RANGE | {"d": r"disps?(arity)?"}, "lo + (hi - lo) * d", "1 / most + (1 / least - 1 / most) * d")
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
    r"(x|img|imgs|images?|inputs?|pred|target)_?(n|norm(alized|ed)?)|norm(alized|ed)?_?(x|img|imgs|images?|input|pred|target)",
    {"x": r"x|img|imgs|images?|inputs?|pred\w*|target\w*", "m": r"means?|mu|shift", "s": r"stds?|sigma|scale", "v": r"var(iance)?", "eps": EPS},
    *(f"(x - m{at}) / s{at}" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / (s{at} + eps)" for at in ("", "[:, None, None]", "[:, None]")),
    *(f"(x - m{at}) / (v{at} + eps).sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / v{at}.sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    *(f"(x - m{at}) / (v{at} + 1e-6).sqrt()" for at in ("", "[:, None, None]", "[:, None]", ".unsqueeze(-1)")),
    "(x - m[:, None, None]) / (v[:, None, None] + 1e-5).sqrt()",
)
