"""Expectiles and quantiles: weights, losses and levels."""

from losskit.checker.quantities.forms import reduced, where
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.agents import DONE, GAMMA, GOES_ON, REWARD

TAU = r"taus?|tau_?hat|quantile_?taus?|quantiles?|quantile_levels?|expectiles?|expectile_tau"
LEVEL = r"quantiles?|quantile_?(tau|level|s)s?|qs?|expectiles?|percentiles?"
VALUE = r"v|vs|values?|vf|v_s|v_pred|vf_pred|value_pred|theta|current\w*|quantile_(preds?|values?)"
BEST = (
    r"q|qs|q_?(values?|pred|min|target|t|sa)|target_?(q|values?|quantiles?)|min_q|"
    r"target|theta_?(target|t)|next_?\w*"
)
PREDICTED = r"(y_?)?(preds?|hat|predictions?|pred_y|outputs?|forecasts?|yhat|est\w*)|input"
TARGET = r"(y_?)?(true|targets?|actuals?|obs\w*)|y|labels?|gt"
ERROR = "(t - p)"
PAIRED = "(t[:, None, :] - p[:, :, None])"
LAST = "(t[..., None] - p)"
KAPPA = r"kappa|k|delta|huber_(k|kappa|delta|threshold)|threshold|beta"
STEEP = "where(abs(ERROR) <= k, 0.5 * ERROR**2, k * (abs(ERROR) - 0.5 * k))"

_WEIGHTS = (
    "where(t - p > 0, tau, 1 - tau)",
    "where(t[..., None] - p > 0, tau, 1 - tau)",
    f"abs(tau[:, None] - ({PAIRED} < 0).double())",
    f"abs(tau[:, None] - ({PAIRED} < 0).double()).transpose(1, 2)",
    f"abs(tau[:, :, None] - ({PAIRED} < 0).double())",
    f"abs(tau[:, :, None] - ({PAIRED} < 0).double()).transpose(1, 2)",
    "exp((t - p) / tau)",
    "exp((t - p) * tau)",
    "clamp(exp((t - p) / tau), None, 100)",
)
_FORMS = ("maximum(tau * ERROR, (tau - 1) * ERROR)", "abs(tau - (ERROR < 0).double()) * ERROR**2")
_QUANTILE = [
    *where(_FORMS[0], ERROR=(ERROR, LAST)),
    *where(_FORMS[1], ERROR=(ERROR, LAST)),
    *(f"2 * ({each})" for each in where(_FORMS[0], ERROR=(ERROR, LAST))),
    *(f"0.5 * ({each})" for each in where(_FORMS[1], ERROR=(ERROR, LAST))),
]
_HUBER = [
    f"abs({level} - ({PAIRED} < 0).double()) * {steep.replace('ERROR', PAIRED)}"
    for level in ("tau[:, None]", "tau[:, :, None]")
    for steep in (STEEP, STEEP + " / k", STEEP.replace("k", "1 "))
]
_OTHER = ["(1 - p.gather(1, t.long()[:, None]).squeeze(1) ** tau) / tau"]
_ENDS = ("mean(2).sum(1)", "mean(2).sum(1).mean()", "sum(1).mean(1)", "transpose(1, 2)")
_LOSSES = [
    *reduced(*_QUANTILE, *_OTHER),
    *reduced(*(f"({each})" for each in _HUBER)),
    *(f"({each}).{ending}" for each in _HUBER for ending in _ENDS),
    *(f"({each}).mean({axes}).sum()" for each in _QUANTILE for axes in ("0", "(0, 1)")),
]
_NAMED = (
    r"(quantile|quantil|pinball|expectile|tilted|asymmetric_?l2)_?(huber_?|"
    r"regression_?|tau_?|value_?)?(loss(es)?|l)|rho"
)
for _named, _level, _from, _to in (
    (rf"{_NAMED}|(value|v|vf|q)_?loss", TAU, VALUE, BEST),
    (_NAMED, TAU, PREDICTED, TARGET),
    (rf"{_NAMED}|loss(es)?", LEVEL, PREDICTED, TARGET),
):
    quantity("the loss of a quantile or expectile", _named, {"tau": _level, "p": _from, "t": _to, "k": KAPPA}, *_LOSSES)
for _level, _from, _to in ((TAU, VALUE, BEST), (LEVEL, PREDICTED, TARGET)):
    quantity(
        "the weight of an expectile or quantile",
        r"(expectile_?|asym\w*_?)?(weights?|w|vf_weight)",
        {"tau": _level, "p": _from, "t": _to},
        *_WEIGHTS,
    )
quantity(
    "the expectile loss of a difference",
    r"expectile_?(loss|regression)|asymmetric_?l2(_loss)?|l2_expectile",
    {"tau": rf"{TAU}|{LEVEL}", "u": r"diff|u|adv\w*|error"},
    *reduced("abs(tau - (u < 0).double()) * u**2"),
    factor=True,
)
quantity(
    "the quantile loss of an error",
    r"(quantile|pinball|tilted)_?(loss(es)?|l)|loss(es)?",
    {"tau": r"taus?|quantiles?|q", "u": r"errors?|e|diff|u|residuals?"},
    *reduced("maximum(tau * u, (tau - 1) * u)", "maximum(-tau * u, (1 - tau) * u)"),
    *reduced("abs(tau - (u < 0).double()) * u**2", "abs((1 - tau) - (u < 0).double()) * u**2"),
    factor=True,
)
quantity(
    "the levels of the quantiles",
    r"taus?|tau_?hats?|quantile_?(taus?|levels?|fractions?|midpoints?)|cumulative_probs|midpoints?",
    {"n": r"n|(num|n)_?(quantiles?|quants?|atoms?|tau\w*|q)|quantiles?_num|k"},
    "(arange(n.__int__()) + 0.5) / n",
    "(arange(n.__int__()) + 1) / (n + 1)",
    "arange(n.__int__() + 1) / n",
)
quantity(
    "the Huber loss of an error",
    r"(element_?wise_?)?huber(_?(loss|l|error|td))?|smooth_?l1(_loss)?",
    {
        "k": KAPPA,
        "u": r"(td_?|bellman_?|abs_?)?(errors?|deltas?|diffs?|e|u|x|td|residuals?|d|r)",
    },
    *reduced(STEEP.replace("ERROR", "u"), STEEP.replace("ERROR", "u") + " / k"),
    *reduced("where(abs(u) <= 1, 0.5 * u**2, abs(u) - 0.5)"),
    factor=True,
)
quantity(
    "the atoms of the target distribution",
    r"tz|t_z|target_?(z|support|atoms)|projected(_\w+)?|z_?(target|next)|next_?(atoms|support)|bellman\w*",
    {
        "low": r"v_?min|z_?min",
        "high": r"v_?max|z_?max",
        "r": REWARD,
        "gamma": GAMMA,
        "d": DONE,
        "m": GOES_ON,
        "z": r"support|atoms?|z|zs|supports",
    },
    *(
        form.format(each)
        for each in (
            "r[:, None] + gamma * (1 - d)[:, None] * z",
            "r[:, None] + gamma * m[:, None] * z",
            "r[:, None] + gamma * z",
        )
        for form in ("{}", "clamp({}, low, high)", "clamp({}, z.min().item(), z.max().item())")
    ),
    binary=("d", "m"),
)
quantity(
    "the place among the atoms",
    r"b|b_j|bj|pos(itions?)?|idx_float",
    {
        "low": r"v_?min|z_?min",
        "high": r"v_?max|z_?max",
        "dz": r"delta(_z)?|dz|delta_?atoms?|step",
        "z": r"tz|t_z|target_?(z|support|atoms)|projected(_\w+)?|z_?target",
    },
    "(z - low) / dz",
    "(clamp(z, low, high) - low) / dz",
)
