"""Policies: ratios, surrogates, entropies and divergences from an old policy."""

from losskit.checker.quantities.forms import either_sign, negative, reduced
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.returns import ADVANTAGE, ALPHA, LOG_PI, Q1, Q2, centred

_LOG_P = r"log_?p(rob)?(abilitie)?s?|log_?pi|logps?"
OLD = (
    r"(old|behaviou?r|mu|prev(ious)?|sampling|rollout|b)_?(policy_?|action_?|"
    rf"per_token_?)?({_LOG_P})(_?a)?|({_LOG_P})_?(old|mu|behaviou?r|prev)|"
    r"fixed_log_probs"
)
REFERENCE = (
    rf"ref(erence)?_?(policy_?|per_token_?|model_?)?({_LOG_P})|"
    rf"({_LOG_P})_?(ref(erence)?|base)|base_?({_LOG_P})"
)
NEW = (
    r"(new|cur|curr|current|pi|policy|action|per_token|token|target|"
    rf"actor)?_?({_LOG_P})(_?(pi|new|a|cur|policy))?|newlogprobs?"
)
RATIO = (
    r"(prob_?|pi_?|policy_?|importance_?|is_?|imp_?)*(ratios?|rhos?|coef_?1|r_t)|"
    r"(importance|imp|is)_?(sampling_?)?(weights?|ratios?)|rho_t"
)
LOG_RATIO = r"log_?(prob_?)?(ratios?|rhos?|r)|neg_approx_kl|negative_approx_kl"
CLIP = (
    r"(ppo_?)?(clip|eps|epsilon)(_?(eps(ilon)?|param|parameter|range|coef+|ratio|"
    r"value|clip|ppo|pi|policy))*|e_clip|cliprange|delta"
)
LOW = r"(eps(ilon)?|clip(_ratio|_eps(ilon)?|_range)?)_?(low|lower|min|left)|(low|lower|min)_?(eps\w*|clip\w*)"
HIGH = (
    r"(eps(ilon)?|clip(_ratio|_eps(ilon)?|_range)?)_?(high|higher|upper|max|right)|"
    r"(high|upper|max)_?(eps\w*|clip\w*)"
)
POLICY_LOSS = (
    r"(policy|actor|pg|action|pi|ppo|clip|surrogate|surr|"
    r"reinforce)_?(gradient_?)?loss(es)?|loss_?(pi|policy|actor|clip|pg|ppo|p)"
)

quantity(
    "the logarithm of the ratio of two policies",
    LOG_RATIO,
    {"old": OLD, "ref": REFERENCE, "new": NEW},
    *("new - old", "(new - old).sum(-1)", "(new - old).mean(-1)"),
    *either_sign("new - ref"),
    *("exp(new - ref) - 1 - (new - ref)", "exp(ref - new) - 1 - (ref - new)", "0.5 * (new - ref)**2"),
)
_RATIOS = ("exp(new - old)", "exp((new - old).sum(-1))", "exp((new - old).mean(-1))", "exp(logr)")
quantity(
    "the ratio of two policies",
    RATIO,
    {"old": OLD, "logr": LOG_RATIO, "new": NEW},
    *(form.format(each) for each in _RATIOS for form in ("{}", "clamp({}, None, 1)")),
)
_CLIPPED = ("clamp(r, 1 - c, 1 + c)", "clamp(r, 1 - low, 1 + high)", "clamp(r, 1 - c, 1 + high)")
_PARTS = {"low": LOW, "high": HIGH, "c": CLIP}
quantity(
    "the clipped ratio",
    r"(clip(ped)?|clamp(ed)?)_?(ratios?|rhos?|prob_ratios?)?|(ratios?|rhos?)_?(clip(ped)?|clamp(ed)?)|coef_?2",
    {**_PARTS, "r": rf"{RATIO}|coef_1", "old": OLD, "logr": LOG_RATIO, "new": NEW},
    *_CLIPPED,
    *(each.replace("(r,", "(exp(logr),") for each in _CLIPPED),
    *(each.replace("(r,", "(exp(new - old),") for each in _CLIPPED),
)
_BOTH = {
    **_PARTS,
    "a": ADVANTAGE,
    "k": r"(clip(ped)?|clamp(ed)?)_?(ratios?|rhos?|prob_ratios?)?|(ratios?|rhos?)_?(clip(ped)?|clamp(ed)?)|coef_?2",
    "r": rf"{RATIO}|coef_1",
    "old": OLD,
    "logr": LOG_RATIO,
    "new": NEW,
}
_PLAIN = ("r * a", "exp(new - old) * a", "exp(logr) * a")
_LIMITED = (
    *("k * a", "clamp(r, 1 - c, 1 + c) * a", "clamp(r, 1 - low, 1 + high) * a", "clamp(exp(logr), 1 - c, 1 + c) * a"),
    "clamp(exp(new - old), 1 - c, 1 + c) * a",
)
quantity(
    "the surrogate of a policy",
    r"(surr(ogate)?|obj(ective)?)_?1|unclipped(_\w+)?|(per_token|policy|actor|pi|action)_loss(es)?_?1",
    _BOTH,
    *either_sign(*_PLAIN),
)
quantity(
    "the surrogate of a clipped policy",
    r"(surr(ogate)?|obj(ective)?)_?(2|clip(ped)?)|clip(ped)?_?(adv\w*|surr\w*|obj\w*)|(per_token|policy|actor|pi|action)_loss(es)?_?2",
    _BOTH,
    *either_sign(*_LIMITED),
)
quantity("the loss of a policy", r"pg_?loss(es)?_?1", _BOTH, *negative(_PLAIN))
quantity("the loss of a clipped policy", r"pg_?loss(es)?_?2", _BOTH, *negative(_LIMITED))
_SMALLER = (
    *("minimum(r * a, k * a)", "minimum(r * a, clamp(r, 1 - c, 1 + c) * a)"),
    *("minimum(r * a, clamp(r, 1 - low, 1 + high) * a)", "minimum(x, y)"),
    "minimum(exp(new - old) * a, clamp(exp(new - old), 1 - c, 1 + c) * a)",
    "minimum(exp(logr) * a, clamp(exp(logr), 1 - c, 1 + c) * a)",
)
_PAIR = {"x": r"(surr(ogate)?|obj(ective)?)_?1|unclipped\w*", "y": r"(surr(ogate)?|obj(ective)?)_?2"}
_ONE, _OTHER = (rf"(per_token|policy|actor|pi|action)_loss(es)?_?{at}" for at in "12")
_LOSSES = {
    "s": r"pg_?loss(es)?_?1|surrogate(_unclipped|_loss_?1)?",
    "t": r"pg_?loss(es)?_?2|surrogate_?(loss_?)?(clip(ped)?|2)",
}
quantity(
    "the clipped loss of a policy",
    rf"{POLICY_LOSS}|per_token_loss",
    {**_LOSSES, **_PAIR, "i": _ONE, "j": _OTHER, **_BOTH},
    *reduced(*negative(_SMALLER), "maximum(s, t)", "maximum(i, j)", "-minimum(i, j)"),
)
quantity(
    "the clipped loss of a policy",
    rf"{POLICY_LOSS}|per_token_loss",
    _BOTH,
    *reduced(*negative(each for each in _SMALLER if "(x," not in each)),
)
quantity("the smaller surrogate as a loss", r"loss(es)?", _PAIR, *reduced("-minimum(x, y)"))
quantity(
    "the clipped surrogate of a policy",
    r"surr(ogate)?s?|clip_?(surr\w*|obj\w*)|(policy_)?objective",
    {**_PAIR, **_BOTH},
    *reduced(*either_sign(*_SMALLER), *either_sign(*_PLAIN)),
)
quantity(
    "the loss of a policy gradient",
    POLICY_LOSS,
    {
        "l": rf"{NEW}|log_prob\w*|selected_log_probs",
        "a": rf"{ADVANTAGE}|(disc(ounted)?_?)?(returns?|rets?|rewards?|g_t)|td_errors?|deltas?|r",
    },
    *reduced("-(l * a)", "-(a + 0 * l)", "-(l * exp(a))", "-(l * (a > 0))", "-(l * relu(a))", "-(l * softmax(a, 0))"),
    *reduced(*(f"-(l * ({each}))" for each in centred("a"))),
)
_SOFT = ("alpha * l - q", "alpha * l - minimum(x, y)")
quantity(
    "the loss of a policy with entropy",
    r"(policy|actor|pi)_?loss|loss_?(pi|policy|actor)",
    {
        "alpha": ALPHA,
        "l": LOG_PI,
        "p": r"(action_?)?(probs?|pi)",
        "x": Q1,
        "y": Q2,
        "q": r"(min_?)?(q|qf|qs|critic)_?(pi|new_?actions?|min|values?|pi_min)?(_pi)?|min_q\w*",
    },
    *reduced(*_SOFT),
    *(f"(p * ({each})).sum(-1).mean()" for each in _SOFT),
    *reduced(*(f"p * ({each})" for each in _SOFT)),
)
quantity(
    "the loss of the temperature of a policy",
    r"(alpha|temp(erature)?|ent(ropy)?_?coef+)_?loss|loss_?alpha",
    {
        "g": r"log_?(alpha|ent_coef|temp)\w*",
        "alpha": ALPHA,
        "l": LOG_PI,
        "h": r"(target|desired)_?ent(ropy)?|ent(ropy)?_?target",
    },
    *reduced("-(g * (l + h))", "-(alpha * (l + h))", "-(exp(g) * (l + h))"),
    factor=True,
)
