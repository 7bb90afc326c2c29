"""Likelihoods: standard scores and densities of distributions."""

from losskit.checker.quantities.forms import EPS, either_sign, negative, reduced, with_eps
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.spreads import LOG_STD, LOG_VAR, MEAN, POINT, SCORE, STD, VAR

SPREAD = {"l": LOG_VAR, "s": LOG_STD, "v": VAR, "d": STD}
_BETWEEN = ("(y - m)", "(y[..., None] - m)", "(y[:, None] - m)", "(y - m[..., None])", "(y - m[:, None])")
_SCORES = {
    each: [f"{between} {each}" for between in _BETWEEN] for each in ("* exp(-0.5 * l)", "* exp(-s)", "/ sqrt(v)", "/ d")
}
quantity(
    "the standard score",
    SCORE,
    {**SPREAD, "eps": EPS, "m": MEAN, "y": POINT},
    *with_eps(*either_sign(*(form for forms in _SCORES.values() for form in forms))),
    *(f"{between} / (d + eps)" for between in _BETWEEN),
    *(f"{between} / sqrt(v + eps)" for between in _BETWEEN),
    *("y * exp(s) + m", "y * d + m", "y * exp(0.5 * l) + m"),
)
_LOGS = {"* exp(-0.5 * l)": "0.5 * l", "* exp(-s)": "s", "/ sqrt(v)": "0.5 * log(v)", "/ d": "log(d)"}
_PAIRS = [*_LOGS.items(), ("/ d", "s"), ("/ sqrt(v)", "0.5 * l"), ("/ d", "0.5 * l"), ("* exp(-s)", "log(d)")]
_GAUSSIAN = [f"-0.5 * ({score})**2 - {log}" for each, log in _PAIRS for score in _SCORES[each]]
_SCORED = [f"-0.5 * z**2 - {each}" for each in ("0.5 * l", "s", "0.5 * log(v)", "log(d)")]
_FLAT = [*_GAUSSIAN[::5]]
_OF_VARIANCE = "-0.5 * (y - m)**2 / d - 0.5 * log(d)"  # of a sigma that is a variance in both terms
_LOG = "log(where(y > 0, y, 1))"  # of a log-normal distribution
_LAPLACE = [
    *(f"-{root}abs(y - m) * exp(-s) - s" for root in ("", "1.41421356 * ")),
    *(f"-{root}abs(y - m) / d - log(d)" for root in ("", "1.41421356 * ")),
    *(f"-{root}abs(y - m) * exp(-l) - l" for root in ("", "1.41421356 * ")),
    *("-abs(y - m) * exp(-0.5 * l) - 0.5 * l", "-1.41421356 * abs(y - m) * exp(-0.5 * l) - 0.5 * l"),
    *("-abs(y - m) / v - log(v)", "-abs(y - m) / sqrt(v) - 0.5 * log(v)"),
]
_LOG_PROB = (
    r"(action_?|gauss(ian)?_?|normal_?|comp(onent)?_?|posterior_?|"
    r"prior_?)?(log_?p(rob)?s?|log_?pdf|log_?lik(elihood)?s?|ll|log_?dens(ity)?|"
    r"log_?normal|log_?n|n\d?_ll|log_?gauss(ian)?)(_?(x|y|z|w|gauss(ian)?|normal|"
    r"posterior|prior|q|p))?|\w*gauss\w*log\w*|\w*log_?normal\w*|log_posterior|"
    r"\w*gauss\w*loglike\w*"
)
_NLL = (
    r"(gauss(ian)?_?|hetero\w*_?|reg(ression)?_?|nll_?|laplac\w*_?)?(nll|"
    r"neg_?log_?(lik(elihood)?|prob)|loss|losses)(_?(gauss(ian)?|reg|term|y|x))?|"
    r"negative_log_likelihood"
)
quantity(
    "the logarithm of a normal density",
    _LOG_PROB,
    {**SPREAD, "m": MEAN, "z": SCORE, "y": POINT},
    *reduced(*_FLAT),
    *_GAUSSIAN,
    *(f"({each}).sum({axis})" for each in _GAUSSIAN for axis in ("-1", "1")),
    *reduced(*_SCORED),
    *_LAPLACE,
    constant=True,
)
_GAUSS_B = [
    f"-0.5 * ((y - m) {score})**2 - {log}" for score, log in (("* exp(-g)", "g"), ("/ b", "log(b)"), ("/ b", "g"))
]
_B = {"g": r"log_?b(_?\w)?", "b": r"b", "m": MEAN, "y": POINT}
_LAPLACES = [f"-abs(y - m) {score} - {log}" for score in ("* exp(-g)", "/ b") for log in ("g", "log(b)")]
quantity(
    "the logarithm of a Laplace density",
    rf"{_LOG_PROB}|log_laplace",
    _B,
    *reduced(*_LAPLACES),
    *_GAUSS_B,
    constant=True,
)
quantity(
    "the negative logarithm of a Laplace density",
    _NLL,
    _B,
    *reduced(*negative([*_LAPLACES, *_GAUSS_B])),
    constant=True,
    factor=True,
)
quantity(
    "the logarithm of a standard normal density",
    r"log_?(p_?z|pz|base|prior|p_?u)|(prior|base)_?(log_?(p(rob)?|lik\w*|prob)s?|ll|logp)|log_prior_z",
    {"z": r"z|zs|u|eps|noise|latents?|z_?flat|x"},
    *reduced("-0.5 * z**2"),
    constant=True,
)
quantity(
    "the logarithm of a normal density of a latent",
    _LOG_PROB,
    {**SPREAD, "m": MEAN, "y": r"z|zs|z_?samples?|u|latents?"},
    *reduced(*_FLAT),
    constant=True,
)
quantity(
    "the negative logarithm of a normal density of a score",
    _NLL,
    {**SPREAD, "z": SCORE},
    *reduced(*negative(_SCORED)),
    constant=True,
    factor=True,
)
quantity(
    "the negative logarithm of a normal density",
    _NLL,
    {**SPREAD, "m": MEAN, "y": POINT},
    *reduced(*negative([*_FLAT, _OF_VARIANCE])),
    *negative(_GAUSSIAN[:]),
    *reduced(*negative(_LAPLACE)),
    *reduced(*(each.replace("(y - m)", "(LOG - m)").replace("LOG", _LOG) for each in negative(_FLAT))),
    *reduced(*(f"{each.replace('(y - m)', '(LOG - m)')} + LOG".replace("LOG", _LOG) for each in negative(_FLAT))),
    *("(0.5 * ((y - m)**2 / v + log(v))) * sqrt(v)", "((y - m)**2 / (2 * d**2) + log(d)) * d"),
    constant=True,
    factor=True,
)
quantity(
    "the logarithm of the weights of a mixture",
    r"log_?(pis?|mix(ture)?\w*|weights?|w|alphas?|coefs?|pi_k)",
    {
        "z": r"(pi|mix(ture)?|weight|alpha|coef|w)_?(logits?|raw)|logit_?(pi|w\w*)|raw_pi",
        "p": r"pis?|mix(ture)?_?(weights?|coefs?|probs?)|pi_k",
        "eps": EPS,
    },
    *("log_softmax(z, -1)", "log_softmax(z, 1)", *with_eps("log(p)"), "log(p + eps)"),
)
_SUMS = ("logsumexp(w + l, -1)", "logsumexp(w + l, 1)", "logsumexp(w + l.sum(-1), -1)", "logsumexp(w + l.sum(-1), 1)")
quantity(
    "the logarithm of a mixture",
    r"log_?(lik(elihood)?s?|mix(ture)?\w*|prob_?mix\w*|prob|p_?(x|y)?|sum(_exp)?)|ll|lse|nll|loss|mixture_log\w*",
    {
        "w": r"log_?(pis?|mix(ture)?_?(weights?|coefs?)?|weights?|w|alphas?|coefs?)",
        "l": (
            r"log_?(probs?|p|comp\w*|gauss\w*|normal|n|pdf|density|lik\w*)|(comp\w*|gauss\w*|"
            r"normal)_?log_?(p(rob)?s?|lik\w*)|component_\w+"
        ),
    },
    *reduced(*either_sign(*_SUMS)),
)
quantity(
    "the density of a mixture",
    r"lik(elihood)?s?|mixture(_\w+)?|density|densities",
    {
        "w": r"pis?|alphas?|mix(ture)?_?(weights?|coefs?|probs?)|pi_k|weights?",
        "g": r"(gauss(ian)?|normal|comp\w*)_?(probs?|pdfs?|lik\w*|dens\w*)?|pdfs?|probs?|phi|component_\w+",
    },
    *("(w * g).sum(-1)", "(w * g).sum(1)", "(w * g.prod(-1)).sum(-1)", "(w * g).sum()", "w * g"),
)
