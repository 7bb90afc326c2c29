"""Targets: one-hot and smoothed labels, signs, weights of classes and margins by their counts."""

from losskit.checker.quantities.forms import LOGITS, quantity

T = r"t|y|targets?|labels?|gts?|tgt|y_?true|truth|classes|ids|safe\w*"
HOT = r"(y_?)?one_?hot(_\w+)?|hot|\w+_one_?hot|y_?oh|target_oh|labels_oh"
WIDE = LOGITS + r"|x|cos\w*|preds?|p|probs?|inputs?|outputs?|\w+_logits|log_?probs?|net_output|prob"
CLASSES = r"n|c|k|(n|num|nb)_?(classes|class|cls|labels)|classes|n_?c|vocab(_size)?|size"
SPREAD = ("l.shape[1]", "l.shape[-1]", "n")
SMOOTH = r"eps(ilon)?|smooth(ing)?|label_smooth(ing)?|alpha|ls|smoothing_value|smooth_factor|e"
quantity(
    "the smoothed labels",
    (
        r"smooth(ed)?(_?(targets?|labels?|one_?hot|y))?|soft_?(targets?|labels?)|true_dist|"
        r"(targets?|labels?|y)_?(smooth(ed)?|ls)|target_probs?"
    ),
    {"h": HOT + r"|targets?|labels?|y|y_true|t", "e": SMOOTH, "l": WIDE, "n": CLASSES},
    "h * (1 - e) + e / n",
    "h * (1 - e) + e / h.shape[1]",
    "h * (1 - e) + e / h.shape[-1]",
    "h * (1 - e) + e / l.shape[1]",
    "h * (1 - e) + e / l.shape[-1]",
    "h * (1 - e) + (1 - h) * e / (n - 1)",
    "h * (1 - e) + (1 - h) * e / (h.shape[1] - 1)",
    "h * (1 - e) + (1 - h) * e / (h.shape[-1] - 1)",
    "h * (1 - e) + (1 - h) * e / (l.shape[1] - 1)",
    "h * (1 - e) + (1 - h) * e / (l.shape[-1] - 1)",
    "h * (1 - e) + 0.5 * e",
    "h * (1 - e) + (1 - h) * e",
    "h.clamp(e, 1 - e)",
)
quantity(
    "the labels as -1 and 1",
    r"signs?|y_?(pm|sign|signed|pm1)|(signed|pm)_?(labels?|targets?|y)|(labels?|targets?)_?(pm|signed?|pm1)",
    {"t": T},
    "2 * t - 1",
    "where(t > 0, 1.0, -1.0)",
    "where(t > 0.5, 1.0, -1.0)",
    "where(t == 1, 1.0, -1.0)",
    "sign(t)",
    "1 - 2 * t",
    "t.unsqueeze(1) - t",
    "sign(t.unsqueeze(1) - t)",
    "sign(t.unsqueeze(-1) - t.unsqueeze(-2))",
    "sign(t.unsqueeze(-2) - t.unsqueeze(-1))",
    binary=("t",),
)
COUNTS = (
    r"(class|cls|label|sample|n|num|samples)_?(counts?|freqs?|frequenc(y|ies)|num(_list)?|"
    r"nums?|hist(ogram)?)(_list|_per_class(es)?|_per_cls)?|counts?|freqs?|frequenc(y|ies)|samples_per_(cls|class)|n_per_class|num_per_(cls|class)|hist|num_samples(_per_cls)?"
)
TOTAL = r"total|n|n_?(samples|total)|num_(samples|total)|counts?_sum"
quantity(
    "the weights of the classes",
    r"(class|cls|label|per_cls|inv(erse)?|rebalanc\w*)_?(weights?|freqs?)|weights?(_per_cls|_cls|_class)|inv_freqs?",
    {"c": COUNTS, "n": TOTAL, "k": CLASSES, "beta": r"beta|b", "e": r"eff(ective)?_?(num\w*|n)?"},
    *(
        f"{each}{norm}{unused}"
        for unused in ("", " + 0 * n", " + 0 * k", " + 0 * n * k")
        for each in ("1 / c", "c ** -0.5", "1 / (c + 1)", "1 / log(1.02 + c / c.sum())", "1 / c.clamp_min(1)")
        for norm in ("", " * c.sum()", f" / ({each}).sum()", " / c.shape[0] * c.sum()", f" / ({each}).mean()")
    ),
    "c.median() / c",
    "c.max() / c",
    "n / c",
    "n / c + 0 * k",
    "1 - c / c.sum()",
    "1 - c / n",
    "(n - c) / c",
    "(c.sum() - c) / c",
    "log(n / c)",
    "log(c.sum() / c)",
    "log(n / c).clamp_min(1)",
    "(1 - beta) / (1 - beta**c)",
    "(1 - beta) / e",
    "(1 / e) / (1 / e).sum()",
    "(1 / (1 - beta**c)) / (1 / (1 - beta**c)).sum()",
    "(1 / e) / (1 / e).sum() + 0 * k",
    "(1 / (1 - beta**c)) / (1 / (1 - beta**c)).sum() + 0 * k",
    "1 / e",
    "1 / e + 0 * k",
    "(1 - beta) / (1 - beta**c) + 0 * k",
    "(1 - beta) / e + 0 * k",
    factor=True,
)
quantity(
    "the effective number of samples",
    r"eff(ective)?_?(num\w*|n)",
    {"c": COUNTS, "beta": r"beta|b"},
    "1 - beta**c",
    "(1 - beta**c) / (1 - beta)",
)
quantity(
    "the weight of the positives",
    r"pos_?weights?|balance(_weight)?|beta_pos",
    {
        "p": r"(n|num|nb|count|total)?_?pos(itives?|_count|_num)?|pos_sum",
        "n": r"(n|num|nb|count|total)?_?neg(atives?|_count|_num)?|neg_sum",
        "c": r"total|n_?total|num_total|n",
    },
    "n / p",
    "n / p.clamp_min(1)",
    "n / (n + p)",
    "(c - p) / p",
    "(c - p) / p.clamp_min(1)",
    "n / (p + 1)",
    "n / c",
    factor=True,
)
quantity(
    "the margins of the classes",
    r"m_?list|margins?(_list)?|class_margins?|ldam_m\w*",
    {"c": COUNTS, "m": r"max_?m(argin)?"},
    "c ** -0.25",
    "c ** -0.25 + 0 * m",
    factor=True,
)
