"""Spreads: variances, deviations, precisions and their logarithms."""

from losskit.checker.quantities.forms import EPS
from losskit.checker.quantities.quantity import quantity

_OF = r"(_?(z|x|y|q|p|pred|hat|t|i|post|prior|mean|\d))?"
LOG_VAR = rf"(z_?|pred_?|p_?|q_?|x_?)?(log_?var(iance)?s?|logv|lv|log_?(sigma|std)(2|_?sq(uared)?)){_OF}"
LOG_STD = rf"(z_?|pred_?|p_?|q_?|x_?|min_)?(log_?(std|sigma|sig|stddev|scale)s?|logs|raw_log_std){_OF}"
VAR = rf"(z_?|pred_?|p_?|q_?|x_?)?(var|vars|variances?|sigma_?(2|sq(uared)?)|sigma_?square|v_pred){_OF}"
STD = rf"(z_?|pred_?|p_?|q_?|x_?)?(std|stds|sigmas?|stddevs?|std_?dev|sd|sig|standard_deviation){_OF}"
MEAN = (
    rf"(z_?|pred_?|p_?|q_?|x_?|y_?|action_?)?(mu|mus|means?|locs?|m){_OF}|preds?|"
    r"y_?(pred|hat)|inputs?|outputs?|recon\w*|x_?(hat|rec\w*)"
)
POINT = (
    r"x|xs|y|ys|y_?true|targets?|values?|w|weights?|actions?|act|a|samples?|data|"
    r"obs\w*|theta|labels?|gt|x_?(0|start|true|orig)"
)
SCORE = r"z|zs|z_?scores?|standardi[sz]ed|norm(alized|ed)?(_(diff|error|res\w*))?|eps_hat"

quantity("the variance of a logarithm", VAR, {"s": LOG_STD}, "exp(2 * s)")
quantity("the standard deviation of its logarithm", STD, {"s": LOG_STD}, "exp(s)")
quantity(
    "the standard deviation of a variance",
    STD,
    {"v": VAR, "eps": EPS},
    *("sqrt(v)", "sqrt(v + eps)", "sqrt(v) + eps", "sqrt(clamp(v, eps))"),
)
quantity("the variance of a standard deviation", VAR, {"s": STD, "eps": EPS}, *("s**2", "s**2 + eps", "(s + eps)**2"))
quantity(
    "the logarithm of a standard deviation",
    LOG_STD,
    {"s": STD, "l": LOG_VAR, "v": VAR},
    *("log(s)", "0.5 * l", "0.5 * log(v)"),
)
quantity(
    "the logarithm of a variance",
    LOG_VAR,
    {"s": STD, "l": LOG_STD, "v": VAR, "eps": EPS},
    *("2 * log(s)", "2 * l", "log(v)", "log(v + eps)"),
)
quantity(
    "the standard deviation of a raw number",
    rf"{STD}|scale",
    {"r": r"rhos?|raw_(scale|std|sigma|rho)|\w*_rhos?", "eps": rf"{EPS}|min_(scale|std|sigma)"},
    *(form.format(each) for each in ("log1p(exp(r))", "exp(r)") for form in ("{}", "{} + eps", "clamp({}, eps)")),
)
quantity(
    "the precision of a variance",
    r"(inv_?|inverse_?)(var\w*|sigma_?(2|sq)|std_?sq)|precisions?\d?|prec|tau_?inv|lambda_",
    {"l": rf"{LOG_VAR}|s", "s": LOG_STD, "v": VAR, "d": STD, "eps": EPS},
    *(
        "exp(-l)",
        "exp(-2 * s)",
        "1 / v",
        "1 / d**2",
        "1 / (v + eps)",
        "1 / (d**2 + eps)",
        "0.5 * exp(-l)",
        "0.5 / d**2",
    ),
)
quantity(
    "the inverse of a standard deviation",
    r"(inv_?|inverse_?)(std\w*|sigma)|inv_?sigma",
    {"l": LOG_VAR, "s": LOG_STD, "v": VAR, "d": STD, "eps": EPS},
    *("exp(-0.5 * l)", "exp(-s)", "1 / sqrt(v)", "1 / d", "1 / sqrt(v + eps)", "1 / (d + eps)"),
)
