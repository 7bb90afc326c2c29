"""Counts and heavy tails: Student, Poisson and negative binomial densities."""

from losskit.checker.quantities.forms import EPS, either_sign, reduced, with_eps
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.spreads import LOG_STD, MEAN, POINT, STD

_T = "lgamma((n + 1) / 2) - lgamma(n / 2) - 0.5 * log(n) - log(d) - 0.5 * (n + 1) * log1p(((y - m) / d)**2 / n)"
quantity(
    "the logarithm of a Student density",
    r"(student\w*_?)?(log_?p(rob)?|log_?lik\w*|ll|nll|neg_?log_?lik\w*)(_?(t|student\w*))?",
    {"n": r"nus?|df|dof", "s": LOG_STD, "d": rf"{STD}|scale", "m": MEAN, "y": POINT},
    *(
        form
        for each in (_T, _T.replace("log(d)", "s"))
        for form in reduced(*either_sign(each, each.replace("(n", "(as_tensor(n)")))
    ),
    constant=True,
)
quantity(
    "the negative logarithm of a Poisson probability",
    r"(poisson_?)(nll_?)?(loss)?|nll|neg_?log_?lik\w*|(poisson_?)loss",
    {
        "g": r"log_?(rates?|lam(bda)?s?|lmbda|intensity|mu|input|pred)",
        "r": r"rates?|lam|lambdas?_?|lmbda|intensit(y|ies)|expected_counts?",
        "y": r"y|ys|y_?true|targets?|counts?|k|x|n|labels?|spikes?",
        "eps": EPS,
    },
    *reduced(*with_eps("r - y * log(r)", "exp(g) - y * g", "r - y * g")),
    *reduced(*with_eps("r - y * log(r) + lgamma(y + 1)", "exp(g) - y * g + lgamma(y + 1)")),
    *reduced("r - y * log(r + eps)", "r - y * log(r + eps) + lgamma(y + 1)"),
    constant=True,
)
_COUNTS = r"x|y|y_?true|counts?|targets?|k|n|labels?"
_NB = (
    "lgamma(y + h) - lgamma(h) - lgamma(y + 1) + h * (log(h) - log(h + m)) + y * (log(m) - log(h + m))",
    "lgamma(y + h) - lgamma(h) + h * (log(h) - log(h + m)) + y * (log(m) - log(h + m))",
)
_NB_PARTS = {
    "m": r"mus?|means?|rates?|px_rate|pred|y_?pred|m",
    "h": r"thetas?|disp(ersion)?|inverse_disp\w*|r|total_count|px_r|inv_alpha",
    "y": _COUNTS,
    "eps": EPS,
}
quantity(
    "the logarithm of a negative binomial probability",
    r"(log_)?(nb|neg\w*bin\w*)\w*|res|log_?lik(elihood)?|ll|log_?p(rob)?|nll|nb_?(nll|loss)",
    _NB_PARTS,
    *reduced(*with_eps(*either_sign(*_NB))),
)
quantity(
    "the logits of a negative binomial distribution",
    r"(nb_)?logits?",
    {"m": _NB_PARTS["m"], "h": _NB_PARTS["h"], "eps": EPS},
    *with_eps("log(m) - log(h)"),
)
_ZINB = "where(y < 1e-8, log(sigmoid(c) + (1 - sigmoid(c)) * (h / (h + m))**h), log(sigmoid(-c)) + NB)".replace(
    "NB", _NB[0]
)
quantity(
    "the logarithm of a zero-inflated negative binomial probability",
    r"(log_)?zinb\w*|res|log_?lik(elihood)?|ll|log_zinb_positive",
    {**_NB_PARTS, "c": r"pi|dropout\w*|px_dropout|zi_logits|pi_logits?"},
    *reduced(*with_eps(_ZINB)),
)
