"""Entropies, divergences from other policies, and limits of importance."""

from losskit.checker.quantities.forms import EPS, either_sign, reduced, where, with_eps
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.policies import LOG_RATIO, NEW, OLD, RATIO, REFERENCE

_P_LOG_P = ("p * l", "exp(l) * l", "p * log(p)")
quantity(
    "the entropy of a distribution",
    r"(policy_?|dist_?|action_?|token_?|pred_?|mean_?)?entrop(y|ies)",
    {
        "p": (
            r"(action_?|soft_?)?(p|ps|probs?|pi|q|probabilit(y|ies)|softmax\w*)|avg_probs?|"
            r"mean_probs?|routing_weights"
        ),
        "l": r"(action_?)?(log_?(p|ps|probs?|pi|softmax|q))",
        "z": r"(policy_?|action_?|token_?|shift_?)?logits",
        "eps": EPS,
    },
    *either_sign(
        *with_eps(
            *reduced(*(f"({each}).sum({axis})" for each in _P_LOG_P for axis in ("-1", "1", "0"))),
            *reduced("p * l", "exp(l) * l", "p * log(p)", "p * log(p) + (1 - p) * log(1 - p)", "l"),
            *reduced("(softmax(z, -1) * log_softmax(z, -1)).sum(-1)", "(softmax(z, 1) * log_softmax(z, 1)).sum(1)"),
            *reduced("sigmoid(z) * log(sigmoid(z)) + sigmoid(-z) * log(sigmoid(-z))"),
        )
    ),
    factor=True,
    constant=True,
)
quantity(
    "the estimate of a divergence from the old policy",
    r"(old_?)?(approx_?)?kl(_?approx|_?(div|est|estimate))?|approxkl|old_approx_kl",
    {"r": RATIO, "g": LOG_RATIO, "old": OLD, "new": NEW},
    *reduced(
        *("(r - 1) - g", "exp(g) - 1 - g", "-g", "0.5 * g**2", "exp(new - old) - 1 - (new - old)", "old - new"),
        *("0.5 * (new - old)**2", "(exp(g) - 1) - g", "(r - 1) - log(r)", "r * g - (r - 1)", "abs(g)"),
    ),
)
quantity(
    "the estimate of a divergence from the reference policy",
    r"per_token_kl|kl_?(penalty|per_token|token|est|estimate|approx)|token_kl|approx_kl|low_var_kl|kl_?k3",
    {"ref": REFERENCE, "new": NEW},
    *reduced(
        *("exp(ref - new) - (ref - new) - 1", "new - ref", "0.5 * (new - ref)**2", "abs(new - ref)"),
        "clamp(exp(ref - new) - (ref - new) - 1, -10, 10)",
    ),
)
quantity(
    "the importance weight with an upper limit",
    r"(clip(ped)?|trunc(ated)?)_?(pg_?)?(rhos?|cs|is_weights?|importance_weights?|weights?)",
    {
        "r": r"rhos?|is_weights?|importance_weights?|ratios?",
        "top": r"\w*(rho|c)_?(bar|max|threshold|clip)\w*|\w*(clip|max|threshold)\w*",
    },
    *where("clamp(r, None, TOP)", TOP=("top", "1")),
    "clamp(r, 1 - top, 1 + top)",
)
