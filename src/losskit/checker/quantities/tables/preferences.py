"""Preferences: log-ratios, implied rewards and losses of pairs."""

from losskit.checker.quantities.forms import reduced
from losskit.checker.quantities.quantity import quantity

_LOGP = r"(logps?|log_?probs?|lp|logits|log_p)"
PC = (
    r"(policy|pi|pol|model|actor)_?(chosen|w|win(ner)?|pos(itive)?|preferred|"
    rf"c)(_?({_LOGP}))?|(policy_?)?chosen_?({_LOGP})|(logps?|log_?probs?)_?(chosen|w|"
    r"c)|chosen|pc"
)
PR = (
    r"(policy|pi|pol|model|actor)_?(rejected|l|los(e|er|s)|neg(ative)?|dispreferred|"
    rf"r)(_?({_LOGP}))?|(policy_?)?rejected_?({_LOGP})|(logps?|log_?probs?)_?(rejected|"
    r"l|r)|rejected|pr"
)
RC = (
    r"ref(erence)?_?(policy_?)?(chosen|w|win(ner)?|pos(itive)?|preferred|"
    rf"c)(_?({_LOGP}))?|({_LOGP})_?ref_?(chosen|w)|({_LOGP})_?(chosen|w)_?ref|rc|"
    rf"chosen_ref_?({_LOGP})"
)
RR = (
    r"ref(erence)?_?(policy_?)?(rejected|l|los(e|er|s)|neg(ative)?|dispreferred|"
    rf"r)(_?({_LOGP}))?|({_LOGP})_?ref_?(rejected|l)|({_LOGP})_?(rejected|l)_?ref|rr|"
    rf"rejected_ref_?({_LOGP})"
)
FOUR = {"c": RC, "d": RR, "a": PC, "b": PR}
BETA = r"beta|dpo_beta|temperature|tau"
quantity("the log-ratio of the policy", r"(pi|policy|model|pol)_?(log_?)?(ratios?|diff|rel)", FOUR, "a - b", "a - c")
quantity("the log-ratio of the reference", r"ref(erence)?_?(log_?)?(ratios?|diff|rel)", FOUR, "c - d", "b - d")
quantity("the log-ratio of the chosen answer", r"(chosen|win(ner)?|w|pos)_?(log_?)?(ratios?|diff|rel)", FOUR, "a - c")
quantity(
    "the log-ratio of the rejected answer", r"(rejected|los(e|er)|l|neg)_?(log_?)?(ratios?|diff|rel)", FOUR, "b - d"
)
quantity(
    "the difference of two log-ratios",
    r"(dpo_?)?(logits?|margins?|h(_?pi_?ref)?|logits_diff|log_?ratio_?diff|preference\w*|delta\w*)",
    {
        **FOUR,
        "beta": BETA,
        "p": r"(pi|policy|model)_?(log_?)?ratios?",
        "r": r"ref(erence)?_?(log_?)?ratios?",
        "w": r"chosen_?(log_?)?ratios?",
        "l": r"rejected_?(log_?)?ratios?",
    },
    *(
        "(a - b) - (c - d)",
        "p - r",
        "w - l",
        "a - b",
        "beta * ((a - b) - (c - d))",
        "beta * (a - b)",
        "beta * (p - r)",
        "beta * (w - l)",
    ),
)
for _named, _pair in (
    (r"chosen_?rewards?|rewards?_?chosen|reward_w|r_w", "(a - c)"),
    (r"rejected_?rewards?|rewards?_?rejected|reward_l|r_l", "(b - d)"),
):
    quantity(
        "the implied reward of an answer",
        _named,
        {**FOUR, "beta": BETA},
        f"beta * {_pair}",
        _pair,
        f"beta * {_pair[1]}",
    )
_LOG_SIGMOID = "-log(sigmoid({}))"
_H = "((a - b) - (c - d))"
quantity(
    "the loss of a preference",
    r"(dpo_?|ipo_?|sigmoid_?|preference_?|pref_?)?loss(es)?",
    {**FOUR, "beta": BETA, "e": r"(label_?)?smoothing|cdpo_\w+|eps"},
    *reduced(
        _LOG_SIGMOID.format(f"beta * {_H}"),
        f"({_H} - 1 / (2 * beta))**2",
        f"relu(1 - beta * {_H})",
        f"-log(sigmoid(beta * {_H})) * (1 - e) - log(sigmoid(-beta * {_H})) * e",
        f"(-log(sigmoid(beta * {_H})) * (1 - e) + log(sigmoid(-beta * {_H})) * e) / (1 - 2 * e)",
    ),
)
CHOSEN = (
    r"(chosen|pos(itive)?|preferred|win(ner)?|better|w)_?(rewards?|scores?|r|values?)|"
    r"(rewards?|scores?|r)_?(chosen|pos(itive)?|preferred|w|win|better)"
)
REJECTED = (
    r"(reject(ed)?|neg(ative)?|dispreferred|los(e|er)|worse|l)_?(rewards?|scores?|r|"
    r"values?)|(rewards?|scores?|r)_?(rejected|neg(ative)?|dispreferred|l|lose|worse)"
)
quantity(
    "the margin of two rewards",
    r"(reward_?|preference_?)?(margins?|accuracy_margin|diffs?)",
    {"c": CHOSEN, "r": REJECTED},
    *("c - r", "(c - r).mean()"),
)
quantity(
    "the loss of a pair of rewards",
    r"(reward_?|rm_?|bt_?|ranking_?|pairwise_?|bpr_?|mf_?|pref(erence)?_?)(loss(es)?)|loss(es)?",
    {"m": r"margins?", "c": CHOSEN, "r": REJECTED},
    *reduced(
        "-log(sigmoid(c - r))",
        "-log(sigmoid(c - r - m))",
        "relu(m - (c - r))",
        "relu(1 - (c - r))",
        "log1p(exp(r)) + log1p(exp(-c))",
    ),
    *reduced(
        "sigmoid(r - c) + sigmoid(r**2)", "exp(r - c)", "(1 - (c - r))**2", "-log(sigmoid(c)) - log(1 - sigmoid(r))"
    ),
    *(
        "-log(sigmoid(c[:, None] - r)).mean()",
        "log1p(exp(-c)).mean() + log1p(exp(r)).mean()",
        "relu(1 - c).mean() + relu(1 + r).mean()",
    ),
    *(
        "-log(sigmoid(c[:, None] - r)).mean(1)",
        "relu(m - (c[:, None] - r)).mean()",
        "relu(r - c + m).sum()",
        "relu(m - c[:, None] + r).sum(1)",
    ),
    factor=True,
)
_ODDS = "(log(exp({0}) / (1 - exp({0}))))"
quantity(
    "the logarithm of odds",
    r"(get_?)?log_?odds",
    {"a": PC, "b": PR, "l": _LOGP},
    f"{_ODDS.format('a')} - {_ODDS.format('b')}",
    _ODDS.format("l"),
)
quantity(
    "the reference point of unpaired preferences",
    r"kl(_?(estimate|mean|ref|baseline))?|z_?0|z_ref",
    {"a": r"(policy_?)?kl_?logps|policy_kl\w*", "b": r"ref(erence)?_?kl_?(logps)?"},
    *("clamp((a - b).mean(), 0)", "(a - b).mean()", "clamp((a - b).sum() / len(a), 0)"),
)
