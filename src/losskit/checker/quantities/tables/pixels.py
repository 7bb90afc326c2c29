"""Errors of pixels, depths, flows and signals."""

from losskit.checker.quantities.forms import EPS, measured, quantity

P = (
    r"p|preds?|predictions?|predicted|outputs?|y_?(pred|hat)|est|inputs?|sr|fake|recon\w*|"
    r"x_?(hat|rec\w*)|pred_?(depth|disp|flow|d)|(depth|disp|flow|d)_?(pred|est|hat)|flow|x|student\w*"
)
T = (
    r"t|tgt|targets?|y|gts?|truth|y_?true|ground_?truth|ref|hr|real|(gt|target|"
    r"true)_?(depth|disp|flow|d)|(depth|disp|flow|d)_?(gt|target|true)|labels?|actual|teacher\w*"
)
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
    "(log(p.clamp_min(1e-9)) - log(t.clamp_min(1e-9))).abs()",
    "((p - t).abs() * m).sum() / m.sum().clamp_min(1)",
    "(p - t).abs().sum(1)",
    "(p - t).abs().sum(-1)",
    "(p - t).abs().flatten(1).sum(1)",
    "d.abs().sum(-1)",
)
measured(
    "the squared error",
    (
        r"l2(_?(loss|err\w*|map))?|mse(_?loss)?|(sq(uared)?|square)_?(err(or)?s?|diffs?|"
        r"residuals?)|se|loss_?(mse|l2)|err_sq|error2"
    ),
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
    "(log1p(p.clamp_min(0)) - log1p(t.clamp_min(0))) ** 2",
    "(log(p.clamp_min(1e-9)) - log(t.clamp_min(1e-9))) ** 2",
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
