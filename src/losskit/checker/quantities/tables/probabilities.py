"""Probabilities of logits, their logarithms, complements, and the cross entropies made of them."""

from losskit.checker.quantities.forms import EPS, TEMPERATURE, measured, quantity

WHO = (
    r"(pred\w*|y|class|cls|mask|seg|student|teacher|s|t|stu|tea|p|q|next|weak|strong|clean|"
    r"aug\w*|adv|ref|policy|old|new|w|u|l|src|tgt|target|output|input|router|disc|noisy|mean)"
)
L = (
    rf"logits?\w?|{WHO}_?logits?\w?|logits?_{WHO}\w?|raw_scores|outputs?\w?|{WHO}_(out\w*|"
    rf"outputs?|scores?|preds?)|scores?|preds?|y_[st12]|net_output"
)
MORE_L = r"logits?|(pred|class|cls|y|s|student|mask|seg|output)_?logits?"
LAYOUTS = ("{}(l, 1)", "{}(l, -1)", "{}(l, 1).movedim(1, -1)", "{}(l, -1).movedim(-1, 1)", "{}(l, -1).transpose(0, 1)")
WARM = tuple(each.replace("l,", "l / u,") for each in LAYOUTS)
PROBS = [
    *(each.format("softmax") for each in LAYOUTS),
    *(each.format("softmax") for each in WARM),
    "sigmoid(l)",
    "sigmoid(l / u)",
    "l / l.sum(1, True)",
    "l / l.sum(-1, True)",
    "softmax(l.flatten(1), 1)",
    "softmax(l.flatten(2), 2)",
    "softmax(l.flatten(1) / u, 1)",
    "exp(lp)",
    "l + 1e6 * ((l.min() < 0) | (l.max() > 1))",
]
TEMPER = TEMPERATURE + r"|T|kd_temp\w*"
LOGS = [
    *(each.format("log_softmax") for each in (*LAYOUTS, *WARM)),
    "log(sigmoid(l))",
    "log(sigmoid(l / u))",
    "log_softmax(l.flatten(1), 1)",
    "log_softmax(l.flatten(2), 2)",
    "log(p)",
    "log(p + eps)",
    "log(p.clamp_min(eps))",
    "l - n",
    "l - log(n.clamp_min(1e-9))",
]
PARTS = {
    "lp": rf"log_?(p|probs?|softmax|pi)\w?|{WHO}_log_?(probs?|p|softmax)|log_?(p|q|probs)_?{WHO}",
    "l": L,
    "u": TEMPER,
}
quantity(
    "the probabilities",
    rf"probs?|probas?|probabilit(y|ies)|{WHO}_(probs?|probas?|probabilities)|(probs?|softmax)_{WHO}|softmax|sm",
    PARTS,
    *PROBS,
)
quantity(
    "the probabilities, or their logarithms",
    (
        rf"p_?[st]|soft_?{WHO}|{WHO}_?(softmax|soft)|soft_?(max|targets?|labels?|preds?|outputs?|"
        rf"teacher|student)|softmax_?\w*"
    ),
    PARTS | {"l": MORE_L + rf"|{WHO}_(out\w*|outputs?|scores?|preds?)|y_[st]"},
    *PROBS,
    *LOGS[: 2 * len(LAYOUTS)],
)
LOG_NAMES = (
    rf"log_?(p|probs?|probas?|softmax|preds?)|log_?(p|probs?|softmax)_?{WHO}|{WHO}_?log_?(p|"
    rf"probs?|softmax)|lprobs|log_?s(oft)?max_?\w*|log_[stq]"
)
quantity(
    "the logarithms of the probabilities",
    LOG_NAMES,
    {
        "p": rf"probs?|p|probas?|{WHO}_?(probs?)|softmax\w*|probs?_{WHO}|q",
        "n": r"log_?(z|norm\w*|den\w*|sum_?exp|partition|sum)|lse|log_?sum_?exp\w*|den\w*|z|norm\w*",
        "l": L + r"|sim\w*",
        "u": TEMPER,
        "eps": EPS,
    },
    *LOGS,
    *(f"-{each}" for each in LOGS[:2]),
    "l - n[:, None]",
    "l - log(n.clamp_min(1e-9))[:, None]",
    "l - log(n.clamp_min(1e-9) + eps)",
    "log_softmax(l.masked_fill(eye(l.shape[0]).bool(), -1e9), 1)",
    "l - logsumexp(l.masked_fill(eye(l.shape[0]).bool(), -1e9), 1, True)",
)
quantity(
    "1 less the probability",
    r"one_?minus_?(p|probs?|pt|p_t)|xs_neg|not_p",
    {
        "p": r"p|probs?|probas?|preds?|pred_sigmoid|(xs|x|p|probs?)_?pos|pt|p_t",
        "l": r"logits?|x|scores?",
        "clip": r"clip|m(argin)?",
    },
    "1 - p",
    "sigmoid(-l)",
    "(1 - p + clip).clamp_max(1)",
    "(p - clip).clamp_min(0)",
)
T = r"t|y|targets?|labels?|gts?|tgt|y_?true|truth|classes|target_ids|hard_labels?"
PRED = r"p|probs?|preds?|predictions?|pred_sigmoid|probas?|y_?(pred|hat)|inputs?|outputs?|recon\w*|x_?hat"
CE = [
    f"{sign}{form}"
    for sign in ("", "-")
    for form in (
        "(logsumexp(l, 1) - l.gather(1, t.long().unsqueeze(1)).squeeze(1))",
        "(logsumexp(l, -1) - l.gather(-1, t.long().unsqueeze(-1)).squeeze(-1))",
        "(logsumexp(l, 1) - (t * l).sum(1))",
        "(logsumexp(l, -1) - (t * l).sum(-1))",
    )
]
measured(
    "the cross entropy",
    r"ce|(ce|xent|cross_?entropy)_?loss(es)?|loss_?(ce|xent)|cross_?entropy|ce_?(all|none|per_\w+)|xent",
    {"other": r"alphas?|evidence|margin|weights?", "l": MORE_L, "t": T},
    *CE[:4],
    "-(t * log_softmax(l, 1)).sum(1)",
    "-(t * log_softmax(l, -1)).sum(-1)",
    "-t * log_softmax(l, 1)",
    "(logsumexp(l[:, :-1], -1) - l[:, :-1].gather(-1, t[:, 1:].long().unsqueeze(-1)).squeeze(-1))",
    "(0.9 * (logsumexp(l, 1) - l.gather(1, t.long().unsqueeze(1)).squeeze(1)) + 0.1 * (logsumexp(l, 1) - l.mean(1)))",
    (
        "(0.9 * (logsumexp(l, -1) - l.gather(-1, t.long().unsqueeze(-1)).squeeze(-1)) + 0.1 * "
        "(logsumexp(l, -1) - l.mean(-1)))"
    ),
    "log1p(exp(l)) - l * t",
)
measured(
    "the binary cross entropy",
    r"bce|bce_?loss(es)?|loss_?bce|bce_?(all|none|per_\w+|map|raw)|binary_?cross_?entropy",
    {"l": MORE_L, "p": PRED, "t": T + r"|masks?|one_?hot\w*|hot"},
    "log1p(exp(l)) - l * t",
    "log1p(exp(l)) - l * (t > 0)",
    "log1p(exp(l)) - l * (t == 1)",
    "-(t * log(p) + (1 - t) * log(1 - p))",
    "-(t * log(p).clamp_min(-100) + (1 - t) * log(1 - p).clamp_min(-100))",
    "-(t * log(p.clamp(1e-7, 1 - 1e-7)) + (1 - t) * log(1 - p.clamp(1e-7, 1 - 1e-7)))",
    "log1p(exp(p)) - p * t",
)
quantity(
    "the probability of the label",
    (
        r"(gathered|picked|selected|label|target|true|action|token|chosen|"
        r"taken)_?(log_?p(rob)?s?|logits?|probs?)|log_?p(rob)?_(target|label|true|action|a)"
    ),
    {
        "p": r"log_?p(rob)?s?\w?|probs?|logits?|p|log_softmax|q_values?|q",
        "t": T + r"|actions?|a|tokens?|ids|idx|index|input_ids",
    },
    "p.gather(1, t.long().unsqueeze(1)).squeeze(1)",
    "p.gather(-1, t.long().unsqueeze(-1)).squeeze(-1)",
    "log_softmax(p, 1).gather(1, t.long().unsqueeze(1)).squeeze(1)",
    "log_softmax(p, -1).gather(-1, t.long().unsqueeze(-1)).squeeze(-1)",
    "softmax(p, 1).gather(1, t.long().unsqueeze(1)).squeeze(1)",
    "softmax(p, -1).gather(-1, t.long().unsqueeze(-1)).squeeze(-1)",
    "log_softmax(p[:, :-1], -1).gather(-1, t[:, 1:].long().unsqueeze(-1)).squeeze(-1)",
    "p[:, :-1].gather(-1, t[:, 1:].long().unsqueeze(-1)).squeeze(-1)",
    "(p * t).sum(1)",
    "(p * t).sum(-1)",
    "p[arange(t.shape[0]), t.long()]",
)
