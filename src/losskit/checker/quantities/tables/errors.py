"""Errors of forecasts and regressions."""

from losskit.checker.quantities.forms import reduced, with_eps
from losskit.checker.quantities.quantity import quantity

PRED = (
    r"p|(y_?)?(preds?|hat|predictions?|predicted|outputs?|forecasts?|yhat)|y_p|"
    r"inputs?|x_?(hat|rec\w*)|recon\w*|est\w*|sr|forecast_\w+"
)
TRUE = r"(y_?)?(true|targets?|actuals?|obs(erved)?)|y|t|labels?|gts?|ground_truth|x|ref\w*|hr|y_t"
_OTHER = TRUE.replace("|x|", "|")
EPS = r"eps(ilon)?|tiny|delta_eps"
_BOTH = {"eps": EPS, "p": PRED, "t": TRUE}
_SQUARES = ("(p - t)**2", "(log1p(clamp(p, -0.999)) - log1p(clamp(t, -0.999)))**2")
quantity(
    "the squared error",
    r"(per_\w+_?)?(mse|sq(uared)?_?(err(or)?s?|diffs?)|se|squared_?loss|mse_?loss)",
    _BOTH,
    *reduced(*_SQUARES),
    "((p - t) / t)**2",
    "((p - t)**2).mean(0)",
    factor=True,
)
quantity(
    "the Euclidean error",
    r"(per_\w+_?)?l2(_?loss|_?err(or)?s?|_?dist(ance)?)?",
    _BOTH,
    *reduced(*_SQUARES),
    "((p - t) / t)**2",
    *(f"sqrt({each})" for each in reduced("(p - t)**2")),
    *reduced("sqrt(((p - t)**2).sum(-1))", "sqrt(((p - t)**2).sum(1))", "sqrt(((p - t)**2).flatten(1).sum(1))"),
    factor=True,
)
quantity(
    "the root of the mean squared error",
    r"rmse(_loss)?|root_mean_squared?_error",
    {**_BOTH, "m": r"mse(_loss)?|mean_squared?_error"},
    *(
        f"sqrt({inner}{add})" + end
        for inner in (
            "((p - t)**2).mean()",
            "((p - t)**2).mean(-1)",
            "((p - t)**2).mean(1)",
            "((p - t)**2).mean(0)",
            "((p - t)**2).flatten(1).mean(1)",
            "m",
        )
        for add in ("", " + eps")
        for end in ("", ".mean()")
    ),
    "sqrt((p - t)**2 + eps)",
    *("sqrt(m) + eps", "sqrt(((p - t)**2).mean()) + eps"),
)
quantity(
    "the absolute error",
    r"(per_\w+_?)?(mae|l1|abs(olute)?_?(err(or)?s?|diffs?)|ae|l1_?loss|mae_?loss)",
    _BOTH,
    *reduced(
        "abs(p - t)",
        *(
            "where(abs(p - t) < 1, 0.5 * (p - t)**2, abs(p - t) - 0.5)",
            "abs(log(clamp(p, 1e-5)) - log(clamp(t, 1e-5)))",
        ),
    ),
    *("abs(p - t).mean(0)", "abs(p - t) / abs(t)"),
    factor=True,
)
quantity(
    "the percentage error",
    r"(ape|mape|percentage_?errors?)(_loss|s)?",
    _BOTH,
    *reduced(
        "abs(p - t) / abs(t)",
        "abs(p - t) / (abs(t) + eps)",
        "abs(p - t) / clamp(abs(t), eps)",
        "abs(p - t) / abs(t + eps)",
        "abs((t - p) / (t + eps))",
    ),
    *reduced(*with_eps(*(f"abs(p - t) / clamp(abs(t), {low})" for low in (1e-8, 1e-3, 1e-2, 0.1, 1)))),
    *reduced(*(f"abs(p - t) / (abs(t) + {low})" for low in (1e-3, 1e-2, 0.1, 1))),
    factor=True,
)
quantity(
    "the symmetric percentage error",
    r"s_?mape(_loss|s)?|symmetric_\w+",
    _BOTH,
    *reduced(
        "abs(p - t) / (abs(p) + abs(t))",
        "abs(p - t) / (abs(p) + abs(t) + eps)",
        "abs(p - t) / clamp(abs(p) + abs(t), eps)",
        "abs(p - t) / ((abs(p) + abs(t)) / 2 + eps)",
    ),
    *("abs(p - t).sum() / (abs(p) + abs(t)).sum()", "abs(p - t).sum() / (p + t).sum()", "abs(p - t) / abs(p + t)"),
    factor=True,
)
quantity(
    "the denominator of a symmetric percentage error",
    r"s?mape_?den(om(inator)?)?",
    _BOTH,
    *with_eps("abs(p) + abs(t)", "abs(t)"),
    factor=True,
)
quantity(
    "the share of the absolute error",
    r"w_?(a)?(mape|ape)(_loss)?|nd|wape",
    _BOTH,
    *with_eps(
        "abs(p - t).sum() / abs(t).sum()",
        "(abs(p - t).sum(-1) / abs(t).sum(-1)).mean()",
        "abs(p - t).sum(-1) / abs(t).sum(-1)",
    ),
    factor=True,
)
quantity(
    "the scaled error",
    r"(mase|scaled_?errors?)(_loss|s)?",
    {"s": r"scale|masep|(naive|seasonal)_?(errors?|mae|scale)|mase_(denom\w*|scale)|mae_naive", **_BOTH},
    *reduced("abs(p - t) / s", "abs(p - t) / (s + eps)", "abs(p - t) / s[:, None]", "abs(p - t) / (s[:, None] + eps)"),
    *("abs(p - t).mean() / s", "(abs(p - t).mean(1) / s).mean()"),
)
quantity(
    "the error of the naive forecast",
    r"scale|masep|(naive|seasonal)_?(errors?|mae|scale|diffs?)|mase_(denom\w*|scale)|mae_naive|naive",
    {
        "m": r"freq(uency)?|m|seasons?|seasonality|seasonal_?(period|ity)|lag|periods?|sp",
        "x": r"in_?samples?|history|y_?train|insample_y|past\w*|context|train\w*",
        "eps": EPS,
    },
    *with_eps(
        *(
            f"abs(x[..., m.__int__():] - x[..., :-m.__int__()]){end}"
            for end in ("", ".mean(-1)", ".mean()", ".sum(-1)")
        ),
        *(f"abs(x[:, m.__int__():] - x[:, :-m.__int__()]){end}" for end in ("", ".mean(-1)", ".mean(1)", ".mean()")),
        *(f"clamp(abs(x[..., m.__int__():] - x[..., :-m.__int__()]){end}, 1e-8)" for end in (".mean(-1)", ".mean()")),
        *(f"abs(x[..., 1:] - x[..., :-1]){end}" for end in ("", ".mean(-1)", ".mean()")),
    ),
    *("x[..., m.__int__():] - x[..., :-m.__int__()]", "x[..., :-m.__int__()]"),
)
quantity(
    "the squared logarithmic error",
    r"r?ms?le(_loss)?|sle|log_?mse",
    _BOTH,
    *reduced(
        *(f"(log1p({p}) - log1p({t}))**2" for p, t in (("p", "t"),)),
        "(log(p) - log(t))**2",
        "(log(p + eps) - log(t + eps))**2",
        "abs(log1p(p) - log1p(t))",
    ),
    *(
        "sqrt(((log1p(p) - log1p(t))**2).mean())",
        "sqrt(((log1p(p) - log1p(t))**2).mean() + eps)",
        "sqrt(((log(p + 1) - log(t + 1))**2).mean(-1))",
    ),
)
_COSH = "abs(E) + log1p(exp(-2 * abs(E))) - 0.69314718056"
quantity(
    "the logarithm of the hyperbolic cosine",
    r"log_?cosh(_loss|_error)?",
    {**_BOTH, "t": _OTHER, "e": r"errors?|diffs?|e|x|residuals?|delta|ey_t"},
    *with_eps(*reduced(_COSH.replace("E", "(p - t)"), _COSH.replace("E", "e"))),
)
quantity(
    "the smooth absolute error",
    r"charb(onnier)?(_loss)?|charbonnier_\w+",
    {**_BOTH, "t": _OTHER, "e": r"errors?|diffs?|e|delta"},
    *reduced(
        "sqrt((p - t)**2 + eps**2)",
        "sqrt((p - t)**2 + eps)",
        "sqrt(e**2 + eps**2)",
        "sqrt(e**2 + eps)",
        "sqrt((p - t)**2 + 1e-6)",
    ),
)
quantity(
    "the Huber loss",
    r"(pseudo_?)?huber(_?(loss|l|error))?|smooth_?l1(_loss)?",
    {"k": r"delta|beta|kappa|threshold", **_BOTH, "t": _OTHER},
    *reduced(
        "where(abs(p - t) <= k, 0.5 * (p - t)**2, k * (abs(p - t) - 0.5 * k))",
        "where(abs(p - t) <= 1, 0.5 * (p - t)**2, abs(p - t) - 0.5)",
        "k**2 * (sqrt(1 + ((p - t) / k)**2) - 1)",
        "sqrt((p - t)**2 + k**2) - k",
    ),
    factor=True,
)
quantity(
    "the coefficient of determination",
    r"r2(_score)?|r_squared",
    {"a": r"ss_?res|rss|sse|residual_ss", "b": r"ss_?tot(al)?|tss|total_ss", "eps": EPS},
    *reduced(*with_eps("1 - a / b"), "1 - a / (b + eps)"),
)
