"""Entropies and divergences of distributions, and the losses of distillation."""

from losskit.checker.quantities.forms import TEMPERATURE, quantity

P = (
    r"p|ps|probs?|probas?|probabilit(y|ies)|(mean|avg|marginal|pred|student|teacher|policy|"
    r"gate|router|batch)_?(probs?|p|dist\w*)|p_?(mean|bar|hat|avg|m)|softmax\w*|avg_?\w*|q|pi|dist|usage|weights|soft\w*|preds?"
)
LOG_P = r"log_?(p|probs?|probas?|softmax|pi|q)|logp\w?|lp|lprobs"
L = r"logits?|(\w+_)?logits|x|scores?|outputs?|preds?|z"
PLOGP = (
    "-(p * log(p.clamp_min(1e-12)))",
    "-(p * lp)",
    "-(softmax(l, 1) * log_softmax(l, 1))",
    "-(softmax(l, -1) * log_softmax(l, -1))",
    "-(exp(lp) * lp)",
)
BINARY = ("-(p * log(p) + (1 - p) * log(1 - p))", "-(sigmoid(l) * log(sigmoid(l)) + sigmoid(-l) * log(sigmoid(-l)))")
SUMMED = [f"{each}.sum({axis})" for each in PLOGP for axis in (1, -1)]
quantity(
    "the entropy",
    (
        r"(mean_?|avg_?|cond\w*_?|marg\w*_?|policy_?|sample_?|per_\w+_)?ent(ropy|"
        r"ropies)?(_?(per_\w+|map|mean|avg|cond\w*|marg\w*))?"
    ),
    {"lp": LOG_P, "p": P, "l": L},
    *PLOGP,
    *BINARY,
    *(
        each.replace("log(p)", "log(p.clamp_min(1e-7))").replace("log(1 - p)", "log((1 - p).clamp_min(1e-7))")
        for each in BINARY
    ),
    "-(p.mean(0) * log(p.mean(0)))",
    *(
        "-(softmax(l, 1).mean(0) * log(softmax(l, 1).mean(0)))",
        "-(softmax(l, -1).mean(0) * log(softmax(l, -1).mean(0)))",
    ),
    "-lp",
    factor=True,
    reduced=True,
)
quantity(
    "the perplexity",
    r"perplexit(y|ies)|ppl|codebook_usage",
    {"h": r"ent(ropy)?|h", "n": r"nll(_?(loss|mean))?|ce(_?loss)?|loss", "lp": LOG_P, "p": P},
    "exp(h)",
    "exp(n)",
    "exp(n.mean())",
    "exp(h.mean())",
    "exp(-(p * log(p.clamp_min(1e-12))).sum())",
    "exp(-(p * log(p.clamp_min(1e-12))).sum(-1))",
    "exp(-(p.mean(0) * log(p.mean(0).clamp_min(1e-12))).sum())",
    "exp(-(p * lp).sum(-1))",
)
ONE, TWO = (
    r"p|p_?(1|a|x|t)|probs?_?(1|a|p)|teacher(_p\w*)?|pred_?1",
    r"q|p_?(2|b|y|s)|probs?_?(2|b|q)|student(_p\w*)?|pred_?2",
)
quantity(
    "the mean of two distributions",
    r"m|mix(ture)?|p_?(m|mix|mean|avg)|mean_?(p|probs?|dist)|avg_?(p|probs?)|midpoint|mid",
    {"p": ONE, "q": TWO},
    "(p + q) / 2",
    "log((p + q) / 2)",
    "log(((p + q) / 2).clamp_min(1e-7))",
)
LOG_ONE, LOG_TWO = (
    r"log_?(p|probs?)_?(1|a|t|teacher|x)?|(teacher|t)_?log_?p\w*|log_?t(eacher)?\w*|lp",
    r"log_?(q|p_?(2|b|s|student|y)|probs?_?(2|b|s|q))|(student|s|ref)_?log_?p\w*|log_?s(tudent)?\w*|lq",
)
GIVEN = {"lp": LOG_ONE, "lq": LOG_TWO, "p": ONE, "q": TWO}
KL = (
    "p * (lp - lq)",
    "q * (lq - lp)",
    "exp(lp) * (lp - lq)",
    "exp(lq) * (lq - lp)",
    "p * (log(p) - lq)",
    "q * (log(q) - lp)",
    "p * (log(p) - log(q))",
    "q * (log(q) - log(p))",
    "-p * lq",
    "-q * lp",
    "lp - lq",
    "lq - lp",
    "p * (log(p.clamp_min(1e-8)) - log(q.clamp_min(1e-8)))",
    "p * (log(p) - q)",
    "q * (log(q) - p)",
    "exp(p) * (p - q)",
    "exp(q) * (q - p)",
    "exp(lp - lq) - (lp - lq) - 1",
    "exp(lq - lp) - (lq - lp) - 1",
    "(lp - lq) ** 2",
    "exp(lp) * (lp - lq) + exp(lq) * (lq - lp)",
    "p * (log(p) - log(q)) + q * (log(q) - log(p))",
)
quantity(
    "the divergence of two distributions",
    (
        r"kl_?d?(_?(loss|div\w*|term|pq|qp|per_\w+))?|(fwd|forward|rev|reverse|mean|sym\w*|"
        r"token|per_token)_?kl(_\w+)?|kld?_?div\w*|kld"
    ),
    GIVEN,
    *KL,
    factor=True,
    reduced=True,
)
MIDDLE = "((p + q) / 2)"
JS = f"p * (log(p) - log{MIDDLE}) + q * (log(q) - log{MIDDLE})"
quantity(
    "the symmetric divergence",
    r"js(d|_?(div\w*|loss|dist\w*))?|jensen\w*",
    {"m": r"m|mix(ture)?|mid|p_?m", "p": ONE, "q": TWO, "a": r"kl_?(p|1|pm|p_m|a)", "b": r"kl_?(q|2|qm|q_m|b)"},
    JS,
    "p * (log(p) - log(m)) + q * (log(q) - log(m))",
    "p * (log(p) - m) + q * (log(q) - m)",
    "a + b",
    *(f"({each}).sum({axis}).clamp_min(0).sqrt()" for each in (JS,) for axis in (1, -1)),
    factor=True,
    reduced=True,
)
TEACHER = r"(teacher|t|target|tea)_?(logits?|out\w*|scores?|preds?)|(logits?|y|out)_?(t|teacher)|y_t"
STUDENT = r"(student|s|stu)_?(logits?|out\w*|scores?|preds?)|(logits?|y|out)_?(s|student)|y_s|outputs?|logits?"
LS, QT = (
    (
        r"log_?(p_?)?(s|student|probs?|p|prob_s|soft\w*)|(p|student|s)_?log_?p\w*|p_s|"
        r"student_log_?(p\w*|s(oft)?max\w*)|log_prob"
    ),
    (
        r"(p|q|prob\w*)_?(t|teacher)|(teacher|t|soft|target)_?(probs?|targets?|p|soft\w*)|"
        r"soft_?(targets?|labels?|teacher)"
    ),
)
LT = r"log_?(p_?)?(t|teacher)|(teacher|t)_?log_?(p\w*|s(oft)?max\w*)|log_?prob_?t"
FORMS = [
    form
    for axis in (1, -1)
    for form in (
        f"(softmax(t / u, {axis}) * (log_softmax(t / u, {axis}) - log_softmax(s / u, {axis})))",
        f"(softmax(s / u, {axis}) * (log_softmax(s / u, {axis}) - log_softmax(t / u, {axis})))",
        f"(-softmax(t / u, {axis}) * log_softmax(s / u, {axis}))",
        f"(softmax(t / u, {axis}) * (log_softmax(t / u, {axis}) - ls))",
        f"(-softmax(t / u, {axis}) * ls)",
        f"(q * (log(q) - log_softmax(s / u, {axis})))",
        f"(-q * log_softmax(s / u, {axis}))",
        f"(exp(lt) * (lt - log_softmax(s / u, {axis})))",
    )
] + ["(q * (log(q) - ls))", "(exp(lt) * (lt - ls))", "(-q * ls)", "(exp(ls) * (ls - lt))", "(q * (log(q) - log(ls)))"]
quantity(
    "the loss of distillation",
    r"kd(_?(loss|term))?|(distill?(ation)?|soft)_?(loss|kl|term)|loss_?(kd|distill?|soft)|soft|distill?(ation)?|kl",
    {
        "u": TEMPERATURE + "|t",
        "ls": LS,
        "lt": LT,
        "q": QT,
        "s": STUDENT,
        "t": TEACHER,
        "other": r"cent(er|re)|alpha|mask\w*|w(eights?)?",
    },
    *(
        f"{form}{end}{scale}"
        for form in FORMS
        for end in (
            "",
            ".sum(1)",
            ".sum(-1)",
            ".sum(1).mean()",
            ".sum(-1).mean()",
            ".mean()",
            ".sum()",
            ".sum() / ({}.shape[0])".format("s" if "s /" in form else "ls"),
        )
        for scale in (" * u ** 2", " * u", "")
        if not (scale == " * u" and "/ u" in form)
    ),
    unless="bool((q < 0).any())",
)
