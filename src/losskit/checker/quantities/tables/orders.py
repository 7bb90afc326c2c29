"""Orders: gains of rankings, sets at risk of survival, and levels of ordered classes."""

from losskit.checker.quantities.forms import EPS, either_sign, reduced, with_eps
from losskit.checker.quantities.quantity import quantity

RELEVANCE = (
    r"(y_?)?(labels?|rels?|relevances?|true|targets?|grades?|gts?)(_?(sorted|sort|"
    r"float))?|y|sorted_labels|true_sorted_by_\w+"
)
GAINS = r"gains?|g|rel_gains?|ideal_gains"
RANKS = r"(approx_?|soft_?|pred_?|true_?)?(ranks?|positions?|pos|pos_idxs)"
SCORES = r"(y_?)?(scores?|preds?|logits|s|outputs?)(_sorted)?"
_ORDER = ("argsort(argsort(x, -1, True), -1)", "argsort(argsort(-x, -1), -1)")
quantity("the gain of a relevance", GAINS, {"y": RELEVANCE}, *("2**y - 1", "y", "2**y"), factor=True)
quantity(
    "the discount of a rank",
    r"(rank_?|log_?|inv_?)?(discounts?|d|disc)",
    {"r": RANKS, "n": r"n|k|(num|n)_?(docs?|items?)|list_?size|slate_length|length"},
    *("1 / log2(1 + r)", "1 / log2(2 + r)", "log2(1 + r)", "log2(2 + r)"),
    *("1 / log2(arange(n.__int__()) + 2)", "log2(arange(n.__int__()) + 2)"),
    factor=True,
)
quantity(
    "the discount of the order of scores",
    r"discounts?",
    {"x": SCORES},
    *(f"{form} / log2({each} + 2)" for each in _ORDER[:1] for form in ("1",)),
    "log2(argsort(argsort(x, -1, True), -1) + 2)",
    factor=True,
)
quantity(
    "the discounted cumulative gain",
    r"(ideal_?|max_?|pred_?)?i?dcgs?(_max|_at_k)?",
    {"g": rf"{GAINS}|ideal(_gains)?", "d": r"(inv_?)?(discounts?|d|disc)", "r": RANKS},
    *(
        f"({each}).sum({axis})"
        for each in ("g * d", "g / d", "g / log2(1 + r)", "g / log2(2 + r)")
        for axis in ("-1", "1", "")
    ),
    factor=True,
)
quantity(
    "the normalised gain",
    r"ndcgs?",
    {"a": r"dcgs?", "b": r"(i|ideal_?|max_?)_?dcgs?|dcg_max|ideal", "eps": EPS},
    *with_eps(*reduced("a / b"), "a / clamp(b, 1e-8)", "where(b > 0, a / clamp(b, 1e-12), 0 * a)"),
    *reduced("a / (b + eps)", "a / clamp(b, eps)"),
)
_PAIRS = ("(x[..., :, None] - x[..., None, :])",)
quantity(
    "the change of the gain when two swap",
    r"(delta|d)_?(ndcgs?|dcgs?)|deltas?",
    {
        "i": r"(i|ideal_?|max_?)_?dcgs?|dcg_max|max_dcgs?",
        "a": r"(d|delta|diff)_?gains?|gain_?(diffs?|d)",
        "b": r"(d|delta|diff)_?(disc(ount)?s?)|disc(ount)?_?(diffs?|d)",
        "g": GAINS,
        "d": r"discounts?|d|disc",
    },
    *("abs(a * b) / i[:, None, None]", "abs(a * b) / i", "abs(a * b)"),
    *(
        form.format("(g[..., :, None] - g[..., None, :]) * (d[..., :, None] - d[..., None, :])")
        for form in ("abs({}) / i[:, None, None]", "abs({}) / i", "abs({})")
    ),
    "abs((g[..., :, None] - g[..., None, :]) * (1 / d[..., :, None] - 1 / d[..., None, :]))",
    *("abs((g[..., :, None] - g[..., None, :]) * (1 / d[..., :, None] - 1 / d[..., None, :])) / i[:, None, None]",),
)
quantity(
    "the difference of each pair",
    (
        r"(scores?|preds?|s|gains?|pairwise)_?(diffs?|differences?|delta)|(diffs?|d|"
        r"delta)_?(scores?|gains?)|s_ij|pair_?diffs?"
    ),
    {"x": rf"{SCORES}|{GAINS}"},
    *either_sign(*_PAIRS),
    "x.diff()",
)
TIME = r"(survival_?|event_?)?(times?|durations?|t|survtime|y_?time|ts)"
HAZARD = (
    r"(log_?)?(hazards?|h|hz|risks?(_scores?)?)(_?(sorted|ordered|pred|sort))?|"
    r"(sorted|ordered)_(risks?|log_?h\w*|hazards?|scores?)|theta|preds?|eta|scores?"
)
quantity(
    "the set at risk at each time",
    r"(at_?risk|risk_?(sets?|mat(rix)?)|in_risk_set|r_?mat(rix)?)(_mask|_matrix)?",
    {"t": TIME},
    *("t[None] >= t[:, None]", "t[None] <= t[:, None]", "t[None] > t[:, None]", "t[None] < t[:, None]"),
)
_CUMULATIVE = ("logcumsumexp(h, 0)", "logcumsumexp(h.flip(0), 0).flip(0)", "logcumsumexp(h.flip(0), 0)")
_SUMMED = (
    r"log_?(risks?|cum_?sums?(_?h)?|denom(inator)?|cum_?(hazards?|h|exp)|sum_?(exp|"
    r"risks?)|den|partial_sum|risk_set_sum)(_h)?|risk_?(log_?)?(lse|sum_log)|lse"
)
_LOGS = r"log_?(hazards?|h|hz|risks?)(_?(sorted|ordered|pred|sort))?"
_EXPONENTIAL = r"exp_?\w+|haz\w*_?ratios?|risk_?(exp|scores_exp)"
_OF_EXPONENTIAL = ("log(cumsum(e, 0))", "log(cumsum(e.flip(0), 0)).flip(0)")
for _each, _more in (
    (_LOGS, ()),
    (HAZARD.replace("(log_?)?", ""), ("log(cumsum(h, 0))", "log(cumsum(h.flip(0), 0)).flip(0)")),
):
    quantity(
        "the logarithm of the sum of the risks",
        _SUMMED,
        {"e": _EXPONENTIAL, "h": _each, "eps": EPS},
        *with_eps(*_more, *_CUMULATIVE, *_OF_EXPONENTIAL),
        *("log(cumsum(e, 0) + eps)", "log(cumsum(exp(h), 0) + eps)"),
    )
quantity(
    "the terms of the partial likelihood",
    r"(neg_?)?(partial_?)?(log_?lik(elihood)?|lik(elihood)?|pll|contrib\w*|uncensored_lik\w*)(_terms?)?",
    {"l": _SUMMED, "h": HAZARD},
    *either_sign("h - l"),
    *either_sign(*(f"h - {each}" for each in _CUMULATIVE[:2])),
)
_LOGIT = r"logits?|h|phi|h_?logits|y_?pred|outputs?|hazard_logits?"
quantity("the hazard of each interval", r"hazards?|haz", {"x": _LOGIT}, "sigmoid(x)")
quantity(
    "the survival up to each interval",
    r"(s|surv(ival)?s?)(_?(probs?|func(tion)?|curve))?",
    {"h": r"hazards?|haz|h", "x": _LOGIT, "l": r"log_(surv\w*|s)"},
    *(
        "cumprod(1 - h, -1)",
        "cumprod(1 - h, 1)",
        "cumprod(sigmoid(-x), -1)",
        "cumprod(sigmoid(-x), 1)",
        "exp(l)",
        "exp(-cumsum(h, -1))",
    ),
)
quantity(
    "the logarithm of the survival",
    r"log_?(s|surv(ival)?s?)(_?(probs?|func\w*|curve|cum))?",
    {"h": r"hazards?|haz", "x": _LOGIT, "s": r"s|surv\w*"},
    *(
        "cumsum(log(1 - h), -1)",
        "cumsum(log(sigmoid(-x)), -1)",
        "cumsum(log(1 - h), 1)",
        "cumsum(log(sigmoid(-x)), 1)",
        "log(s)",
    ),
    *("log(sigmoid(-x))", "log(1 - h)", "log1p(-h)"),
)
CLASSES = r"n|k|c|(num|n)_?(classes|labels|class|levels|ranks|c)|classes"
quantity(
    "the levels of ordered labels",
    r"(ordinal_?|cum(ulative)?_?|ext(ended)?_?)(levels?|labels?|targets?)|levels?",
    {"k": CLASSES, "y": r"labels?|targets?|y|y_true|ranks?"},
    *("y[:, None] > arange(k.__int__() - 1)", "y[:, None] > arange(k.__int__())", "y[:, None] >= arange(k.__int__())"),
)
_STEPS = "cat([f[..., :1], f[..., 1:] - f[..., :-1], 1 - f[..., -1:]], -1)"
quantity(
    "the probabilities of ordered classes",
    r"(class_?)?(probs?|lik(elihood)?s?|probabilities)",
    {"f": r"cum(ulative)?_?(probs?|p|link\w*|prob\w*)?|cdfs?|cum_\w+"},
    *(
        _STEPS,
        "cat([1 - f[..., :1], f[..., :-1] - f[..., 1:], f[..., -1:]], -1)",
        "f[..., 1:] - f[..., :-1]",
        "f[..., :-1] - f[..., 1:]",
    ),
)
