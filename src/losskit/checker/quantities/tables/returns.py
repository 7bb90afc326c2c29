"""Returns: temporal differences, advantages and the values from which they come."""

from losskit.checker.quantities.forms import EPS, either_sign, where
from losskit.checker.quantities.quantity import quantity
from losskit.checker.quantities.tables.agents import DONE, GAMMA, GOES_ON, NEXT, REWARD

VALUE = (
    r"(old_?|state_?|critic_?|pred_?|baseline_?)?(v|vals?|values?|vf|v_s|v_pred|"
    r"baselines?)(_?(preds?|old|s|t|est))?"
)
TAKEN = (
    rf"(cur(rent)?_?|chosen_?|selected_?)?(q|q_?values?|q_?(taken|sa|a|s_a|pred|eval|current|action|val|selected))|"
    rf"state_action_values?|{VALUE}"
)
RETURNS = (
    r"(disc(ounted)?_?|mc_?|lambda_?|n_?step_?)?(returns?|rets?|rewards?_to_go|rtgs?|"
    r"g_t|q_?targets?|target_?values?|targets?)"
)
ADVANTAGE = r"(norm(alized)?_?)?(a|adv|advs|advantages?|gae|gaes)(_?(norm(alized)?|est|targ|targets?))?"
Q1 = r"\w*(q|qf|critic)\w*(1|_a)\w*"
Q2 = r"\w*(q|qf|critic)\w*(2|_b)\w*"
ALPHA = r"(ent(ropy)?_?)?(alpha|temp(erature)?|ent(ropy)?_?coef+)"
LOG_PI = (
    r"(next_?|new_?|cur(rent)?_?)?(state_?|action_?|actions_?)?(log_?pi|"
    r"log_?p(rob)?s?)(_?(pi|a2?|next|new|prime|actions?))?"
)
LIVE = ("m", "1 - d", "1")
TARGET = (
    r"(next_|target_|td_|q_|v_|bellman_|critic_|soft_)*(targets?|expected|backup|"
    r"y)(_(q|v|value|td|values|qs?|soft))*"
)
STEP = {"r": REWARD, "gamma": GAMMA, "d": DONE, "m": GOES_ON}

quantity(
    "the error of a temporal difference",
    r"(td|bellman)_?(errors?|delta|residual|res)s?|td|deltas?",
    {**STEP, "n": NEXT, "v": TAKEN},
    *(sign for each in LIVE for sign in either_sign(f"r + gamma * ({each}) * n - v")),
    *(f"clamp(r + gamma * ({each}) * n - v, -1, 1)" for each in LIVE),
    binary=("m", "d"),
)
quantity(
    "the target of a temporal difference with a soft value",
    TARGET,
    {**STEP, "a": Q1, "b": Q2, "alpha": ALPHA, "l": LOG_PI, "n": NEXT},
    *where("r + gamma * LIVE * (n - alpha * l)", LIVE=LIVE),
    *where("r + gamma * LIVE * (minimum(a, b) - alpha * l)", LIVE=LIVE),
    *where("r + gamma * LIVE * minimum(a, b)", LIVE=LIVE),
    *where("r + gamma * LIVE * (0.75 * minimum(a, b) + 0.25 * maximum(a, b))", LIVE=LIVE),
    binary=("m", "d"),
)
quantity(
    "the target of several steps",
    TARGET,
    {**STEP, "n": NEXT, "k": r"(n|multi)_?steps?|n_?step\w*|horizon"},
    *where("r + gamma**k * LIVE * n", LIVE=LIVE),
    binary=("m", "d"),
)
quantity(
    "the discount of a step",
    r"discounts?|gammas?|pcont\w*|not_done_gamma",
    {"gamma": r"gamma|discount_(factor|rate)", "d": DONE, "m": r"not_dones?|non_?terminals?|masks?|continues?|alive"},
    "gamma * (1 - d)",
    "gamma * m",
    binary=("m", "d"),
)
quantity(
    "the smaller of two values",
    r"min_?\w*(q|v|critic)\w*|\w*q\w*_min|(next|target)_?\w*q\w*|q_?(target|next|pi)s?|q|v_target|target_v",
    {"a": Q1, "b": Q2, "alpha": ALPHA, "l": LOG_PI},
    "minimum(a, b)",
    "(a + b) / 2",
    "a + b",
    "0.75 * minimum(a, b) + 0.25 * maximum(a, b)",
    "minimum(a, b) - alpha * l",
)
quantity(
    "the value of a policy with entropy",
    r"(soft_?)?(next_?|target_?)*(v|values?|state_values?|q)(_?(target|next|backup|soft))?",
    {
        "alpha": ALPHA,
        "l": LOG_PI,
        "p": r"(next_?)?(action_?)?(probs?|pi|p)(_?next)?",
        "q": r"(min_?|next_?|target_?|new_?)*(q|qs|qf|q_?values?|critic)(_?(min|next|target|pi|new|values?))*",
    },
    "q - alpha * l",
    "(p * (q - alpha * l)).sum(-1)",
)
CENTRED = (
    "({0}) - ({0}).mean()",
    "(({0}) - ({0}).mean()) / ({0}).std()",
    "(({0}) - ({0}).mean()) / ({0}).std(False)",
    "(({0}) - ({0}).mean(-1)[..., None]) / ({0}).std(-1)[..., None]",
    "(({0}) - ({0}).mean(-1)[..., None]) / ({0}).std(-1, False)[..., None]",
    "(({0}) - ({0}).mean(0)) / ({0}).std(0)",
    "(({0}) - ({0}).mean(0)) / ({0}).std(0, False)",
    "({0}) - ({0}).mean(-1)[..., None]",
    "({0}) - ({0}).mean(0)",
)


def centred(formula: str) -> list[str]:
    """A formula minus its mean, and that over its standard deviation."""
    return [each.format(formula) for each in CENTRED]


quantity(
    "the advantage of a return over a value",
    r"adv|advs|advantages?|a_t",
    {"g": rf"{RETURNS}|q|qs|q_?values?|target_?q", "v": VALUE, "eps": EPS},
    "g - v",
    *centred("g - v"),
    *(f"{each} + 0 * eps" for each in centred("g - v")),
)
quantity(
    "the normalised advantage",
    (
        r"(norm|normalized|normalised|whitened|scaled)_?(adv\w*|rewards?|returns?)|(adv|"
        r"advantages?|rewards?|returns?)_?(n|norm|normed|normalized|normalised)"
    ),
    {"x": r"adv|advs|advantages?|r|rewards?|returns?|scores", "eps": EPS},
    *centred("x"),
    *(f"{each} + 0 * eps" for each in centred("x")),
    *("x / x.std()", "x / (x.std() + eps)", "(x - x.min()) / (x.max() - x.min())", "x / x.max()", "x / abs(x).max()"),
    *("x / norm(x)", "tanh(x)"),
)
quantity(
    "the advantage within a group",
    r"adv|advs|advantages?",
    {
        "r": r"r|rews?|rewards?|grouped\w*|group_?rewards?|scores",
        "mean": r"(group_?)?means?(_?(grouped_?)?(r|rewards?))?|mu|baseline",
        "s": r"(group_?)?(std|sigma)s?(_?(grouped_?)?(r|rewards?))?",
        "k": r"(num|n)_?(generations?|samples?|responses?|rollouts?|group)|group_?size|g|k",
        "eps": EPS,
    },
    *(f"{each}{end}" for each in ("r - mean", "(r - mean) / s") for end in ("", " + 0 * eps")),
    *("(r - mean) / (s + eps)", "(r - mean[:, None]) / (s[:, None] + eps)"),
    *(
        f"{each}{end}"
        for each in ("r - mean[:, None]", "(r - mean[:, None]) / s[:, None]")
        for end in ("", " + 0 * eps")
    ),
    *(f"({each}){end}" for each in centred("r.reshape(-1, k.__int__())")[2:6] for end in ("", " + 0 * eps")),
    *(f"({each}){end}" for each in centred("r.reshape(-1, k.__int__())")[-2:-1] for end in ("", " + 0 * eps")),
    *centred("r - mean"),
    *("r", "r.flip(0).cumsum(0).flip(0)", "r.flip(-1).cumsum(-1).flip(-1)"),
    *("r - (r.sum(-1)[..., None] - r) / (r.shape[-1] - 1)", "r - (r.sum(-1)[..., None] - r) / (k - 1)"),
    *(f"({each}){end}" for each in centred("r") for end in ("", " + 0 * eps")),
)
quantity(
    "the return of an advantage",
    r"(lambda_?)?(returns?|rets?)|value_?targets?|target_?values?|v_?targets?",
    {"a": r"adv|advs|advantages?|gaes?", "v": r"(old_?)?(v|vals?|values?|value_preds?|state_values?)"},
    "a + v",
)
quantity(
    "the weight of an advantage",
    r"(awr_?|adv(antage)?_?|exp_?)?(weights?|w|exp_?a(dv\w*)?)",
    {
        "a": r"adv|advs|advantages?",
        "b": r"beta|temp(erature)?|lam(bda)?_?|awr_\w+|inverse_temp\w*",
        "top": r"max_?(weight|w|adv|exp\w*)|\w*clip\w*|\w*clamp\w*|exp_adv_max|weight_max",
    },
    *(
        form.format(each)
        for each in ("a / b", "a * b")
        for form in ("exp({})", "clamp(exp({}), None, 100)", "clamp(exp({}), None, 20)", "softmax({}, 0)")
    ),
    *(f"clamp(exp({each}), None, top)" for each in ("a / b", "a * b")),
    *(f"softmax({each}, 0) * len(a)" for each in ("a / b", "a * b")),
)
