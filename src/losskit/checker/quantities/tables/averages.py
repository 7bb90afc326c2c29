"""Averages: moving averages of the past, and losses weighted by uncertainty."""

from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.spreads import LOG_STD, LOG_VAR, STD, VAR

_WHAT = (
    r"(centers?|centres?|means?|vars?|std|avg|average|weights?|counts?|cluster_size|"
    r"prototypes?|protos?|loss(es)?|stats?|\w+)"
)
OLD = (
    r"(running|ema|moving|avg|old|prev(ious)?|momentum|slow|target|teacher|"
    rf"global)_?{_WHAT}|centers?|centres?|prototypes?|cluster_size|mean_old|u|p_?old"
)
FRESH = (
    rf"batch_{_WHAT}|(new|current|cur|online|fast|source|student|local)_{_WHAT}|"
    rf"{_WHAT}_batch|mean_new|param|center_new|teacher_mean|class_means?"
)
UPDATED = rf"(new|updated?|next|running|ema|moving|avg)_?{_WHAT}|centers?|centres?|smoothed\w*"
DECAY = r"(ema_?|center_?|avg_?)?(decay|momentum|mom|m)(_?(rate|factor|center|ema))?"
RATE = r"tau|polyak_?tau|soft_tau|ema_?(alpha|rate|lr)|rate"
quantity(
    "the moving average",
    UPDATED,
    {"n": FRESH, "o": OLD, "m": DECAY, "r": RATE},
    *("m * o + (1 - m) * n", "r * n + (1 - r) * o", "r * o + (1 - r) * n"),
)
quantity(
    "the moving average by a small step",
    UPDATED,
    {"n": FRESH, "o": OLD, "m": r"alpha|momentum|beta|lr|gamma|mom"},
    *("m * o + (1 - m) * n", "(1 - m) * o + m * n", "o - m * (o - n)", "o + m * (n - o)"),
)
LOSS = (
    r"(task_?|raw_?|per_task_?|mt_?)?(loss(es)?|l|l_i|ls)(_?(\d|i|seg|depth|reg|cls|a|"
    r"b|rgb|det))?|(mse|ce|bce|l1|sq(uared)?)_?(loss|error)?|(sq_?)?err(or)?s?"
)
_WITH = (
    "0.5 * exp(-l) * x + 0.5 * l",
    "exp(-l) * x + l",
    "exp(-l) * x + 0.5 * l",
    "0.5 * exp(-l) * x + l",
    "exp(-l) * x + l**2",
)
_BY_LOG = (
    "exp(-2 * s) * x + s",
    "0.5 * exp(-2 * s) * x + s",
    "exp(-2 * s) * x + 2 * s",
    "exp(-s) * x + s",
    "0.5 * exp(-s) * x + 0.5 * s",
)
_BY_STD = (
    "0.5 * x / d**2 + log(d)",
    "x / d**2 + log(d)",
    "x / d**2 + log(d**2)",
    "0.5 * x / d**2 + log(1 + d**2)",
    "x / d**2 + log(1 + d**2)",
    "x / d + log(d)",
)
_BY_VAR = ("0.5 * x / v + 0.5 * log(v)", "x / v + log(v)", "x / v + 0.5 * log(v)", "0.5 * x / v + log(v)")
_BY_WEIGHT = (
    "p * x + l",
    "0.5 * p * x + 0.5 * l",
    "p * x + 0.5 * l",
    "0.5 * p * x + l",
    "p * x - 0.5 * log(p)",
    "p * x - log(p)",
    "p * x + s",
    "0.5 * p * x + s",
    "p * x + log(d)",
    "p * x + log(1 + d**2)",
    "p * x",
)
_ALL = (*_WITH, *_BY_LOG, *_BY_STD, *_BY_VAR, *_BY_WEIGHT)
quantity(
    "the loss of a task weighted by its uncertainty",
    (
        r"(w|weighted|task|uncertainty|total|multi_?task)_?(loss(es)?|terms?|total)|"
        r"terms?|wloss(es)?|total|loss(es)?_?(\d|i|weighted|sum)?|multi_task_losses"
    ),
    {
        "p": r"precisions?\d?|inv_var\w*|coeffs?|prec\w*",
        "l": rf"{LOG_VAR}|s|etas?|params?_log_var",
        "s": LOG_STD,
        "v": VAR,
        "d": rf"{STD}|sigma\w*",
        "f": r"factors?|scale|half",
        "x": LOSS,
    },
    *_ALL,
    *(f"({each}).{end}" for each in _ALL for end in ("sum()", "mean()", "sum(-1)")),
    *(form for each in ("f * exp(-l) * x + 0.5 * l", "f * exp(-l) * x + l") for form in (each, f"({each}).sum()")),
)
