"""Similarities: normalized vectors, cosines, pairs of the same label, and the parts of contrastive losses."""

from losskit.checker.quantities.forms import EMB_A, EMB_B, FEATURES, TEMPERATURE, quantity

AXES = (1, -1, 2)
UNIT = [f"z / z.norm(2, {axis}, True)" for axis in AXES] + ["z / z.flatten(1).norm(2, 1)[:, None]"]
STANDARD = [
    f"(z - z.mean({axis}, True)) / z.std({axis}, {how}, True)" for axis in (0, -1, 1) for how in ("True", "False")
]
quantity(
    "the normalized vectors",
    (
        r"(z|x|e|f|h|a|b|q|k|emb\w*|feat\w*|proj\w*|out|v|w|weight)_?\w?_?(norm(ed|alized)?|n|"
        r"unit|hat|bn|std(ized)?)|(norm(ed|alized)?|unit)_?(z|x|e|f|emb\w*|feat\w*|proj\w*|v)\w?|normed|normalized|zn|en|xn"
    ),
    {"z": FEATURES + r"|\w_?[12abij]|(z|emb|feat)\w*_[ab12ij]|q|k|w(eights?)?|v|a|b"},
    *UNIT,
    *STANDARD,
    "z - z.mean(0)",
    *(f"z / z.{how}({axis}, True)" for how in ("sum", "mean") for axis in (0, 1, -1)),
    *(f"(z - z.amin({axis}, True)) / (z.amax({axis}, True) - z.amin({axis}, True))" for axis in (0, 1, -1)),
    "(z - z.min()) / (z.max() - z.min())",
    "(z - z.mean()) / z.std()",
    (
        "(z - z.flatten(1).mean(1).reshape(-1, *[1] * (z.dim() - 1))) / "
        "z.flatten(1).std(1).reshape(-1, *[1] * (z.dim() - 1))"
    ),
    "z / z.pow(2).mean(-1, True).sqrt()",
    "z / z.max()",
    "z / z.abs().max()",
    "z / 255",
    "z / z.norm()",
    "z / z.sum()",
    "softmax(z, -1)",
    "softmax(z, 1)",
)
SCALE = r"(logit_?)?scale(_exp)?|s|inv_temp\w*|exp_scale"
SELF = ("z @ z.mT", "(z / z.norm(2, -1, True)) @ (z / z.norm(2, -1, True)).mT", "z @ z.transpose(-1, -2)")
CROSS = (
    "a @ b.mT",
    "b @ a.mT",
    "(a / a.norm(2, -1, True)) @ (b / b.norm(2, -1, True)).mT",
    "(b / b.norm(2, -1, True)) @ (a / a.norm(2, -1, True)).mT",
    "(a * b).sum(-1)",
    "(a * b).sum(1)",
    "(a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
    "(a / a.norm(2, 1, True) * b / b.norm(2, 1, True)).sum(1)",
    "a @ b",
    "a @ b.transpose(-1, -2)",
    "b @ a.transpose(-1, -2)",
    "(a / a.norm(2, -1, True)) @ (b / b.norm(2, -1, True)).transpose(-1, -2)",
    "a[:, None] @ b.unsqueeze(-1)",
    "(a[:, None] * b).sum(-1)",
    "(a * b).flatten(1).sum(1)",
)
BOTH = "cat((a, b)) @ cat((a, b)).mT"
UNIT_BOTH = "(cat((a, b)) / cat((a, b)).norm(2, -1, True)) @ (cat((a, b)) / cat((a, b)).norm(2, -1, True)).mT"
FORMS = (*SELF, *CROSS, BOTH, UNIT_BOTH)
quantity(
    "the similarities",
    r"sim(s|ilarit(y|ies))?(_?(mat(rix)?|scores?|map|\w\w?))?|(cos|pair|cross|self)_?sim\w*|cos(ine)?s?(_?(sim\w*|mat\w*|dist))?|"
    r"logits?(_?(per_\w+|mat\w*|aa|ab|ba|bb|i|t|pos|neg))?|anchor_dot_contrast|l_?(pos|neg)|affinity|(pos|neg)_?(scores?|sims?|logits?)",
    {"s": SCALE, "u": TEMPERATURE, "a": EMB_A, "b": EMB_B, "z": FEATURES},
    *FORMS,
    *(f"({each}) / u" for each in FORMS),
    *(f"s * ({each})" for each in FORMS),
    *(f"exp(s) * ({each})" for each in FORMS),
    *(f"exp({each})" for each in FORMS),
    *(f"exp(({each}) / u)" for each in FORMS),
    *(f"1 - ({each})" for each in CROSS),
    *(f"({each}) * z.shape[-1] ** -0.5" for each in SELF),
    *(f"({each}) * a.shape[-1] ** -0.5" for each in CROSS[:3]),
    *(f"-({each}).square().sum(-1)" for each in ("a - b", "a[:, None] - b")),
)
LABELS = r"labels?|y|targets?|t|ids?|classes|pids?|gts?|lab"
EYE = r"eye|diag(onal)?(_mask)?|self_?mask|identity|i|eye_mask|is_self|self_contrast"
SAME = r"same(_?(class|label|mask|id))?|mask|match\w*|label_?(eq|mask|match)|is_same|eq|labels_equal|adjacency|equal"
EQUAL = "(t.unsqueeze(0) == t.unsqueeze(1))"
quantity(
    "the pairs of the same label",
    r"same_?(class|label|id|mask)?|labels_?equal|label_?eq\w*|is_same|is_pos",
    {"t": LABELS},
    EQUAL,
    f"({EQUAL} * (1 - eye(t.shape[0])))",
    f"{EQUAL}.triu(1)",
    f"{EQUAL}.triu()",
    f"{EQUAL}.fill_diagonal_(False)",
    "(t.unsqueeze(-1) == t.unsqueeze(-2))",
    "(t @ t.mT) > 0",
    "t[:-1] == t[1:]",
)
quantity(
    "the positive pairs",
    r"(mask_?)pos(itives?)?|pos(itives?)?_?(mask|pairs?|matrix)|(is_)?positives?(_mask)?|mask_anchor_positive",
    {"e": EYE, "s": SAME, "t": LABELS, "o": r"logits_mask|not_?self|off_?diag\w*|non_?self\w*|not_eye|neg_?eye"},
    EQUAL,
    f"{EQUAL} * (1 - eye(t.shape[0]))",
    f"{EQUAL}.triu(1)",
    f"{EQUAL} * (1 - e)",
    f"{EQUAL} - e",
    f"{EQUAL} * o",
    "s * (1 - e)",
    "s - e",
    "s * o",
    "s",
    "s.fill_diagonal_(0)",
    "s.triu(1)",
    "s * (1 - eye(s.shape[0]))",
    "t > 0",
    "t == 1",
    "t > 0.5",
    "t",
    "1 - t",
    "t == 0",
)
quantity(
    "the negative pairs",
    (
        r"(mask_?)?neg(atives?)?(_?(mask|pairs?|idx|inds?|matrix))?|(is_)?negatives?(_mask)?|"
        r"mask_anchor_negative|diff(erent)?_?(class|label|mask)"
    ),
    {"e": EYE, "s": SAME, "t": LABELS},
    EQUAL.replace("==", "!="),
    f"({EQUAL.replace('==', '!=')}).triu(1)",
    "1 - s",
    "(1 - s).triu(1)",
    "(1 - s) * (1 - e)",
    f"{EQUAL.replace('==', '!=')} * (1 - e)",
    "t == 0",
    "1 - t",
    "t < 0.5",
    "t <= 0",
    "t != 1",
    "t < 1",
    "t",
    "t > 0",
    "t == 1",
    "(t > 0) * (t < 1)",
)
LOGITS = r"logits?|sims?|sim_?mat\w*|similarit\w+|scores?|s|cos\w*|anchor_dot_contrast|dots?"
EXP = r"exp_?(logits?|sims?|scores?|s|mat\w*)?|(logits?|sims?)_exp"
quantity(
    "the logarithms of the probabilities of the pairs",
    r"log_?probs?|log_?p",
    {"e": EXP, "d": r"(log_?)?(denom(inator)?|den|sum_?exp|norm\w*|z|lse)|exp_?sum|log_?sum_?exp\w*", "l": LOGITS},
    "l - log(e.sum(1, True))",
    "l - log(e.sum(-1, True))",
    "l - log(d.clamp_min(1e-9))",
    "l - d",
    "l - log(d.clamp_min(1e-9))[:, None]",
    "l - d[:, None]",
    "log(e / e.sum(1, True))",
    "log(e / d)",
    "log(e / d[:, None])",
    "l - log(d + e)",
)
quantity(
    "the mean over the positives",
    r"mean_?log_?prob\w*|per_?anchor\w*|mean_log_p\w*",
    {
        "l": r"log_?probs?|log_?p",
        "n": (
            r"(n|num)_?pos\w*|pos_?(counts?|num|per_\w+|pairs)|mask_pos_pairs|mask_sum|counts?|"
            r"cardinal\w*|n_positives"
        ),
        "m": r"masks?|pos\w*|positives?(_mask)?|same\w*",
    },
    *(
        f"{sign}(m * l).sum({axis}) / {number}"
        for sign in ("", "-")
        for axis in (1, -1)
        for number in (f"m.sum({axis})", f"m.sum({axis}).clamp_min(1)", "n", "n.clamp_min(1)")
    ),
)
