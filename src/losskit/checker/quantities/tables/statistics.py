"""Statistics of features: centred and standardized values, covariances, Gram matrices, moments of distributions."""

from losskit.checker.quantities.forms import EMB_A, EMB_B, FEATURES, quantity

Z = FEATURES + r"|(z|x|e|emb|feat|y)_?[12abijxy]|source|target|src|tgt|latents?|acts?|activations?|h_?[12ab]"
quantity(
    "the centred values",
    (
        r"(z|x|y|e|f|h|emb\w*|feat\w*|source|target|src|tgt|p|pred|t|logits?)_?\w?_?(c|cent(er|"
        r"re)ed|cen|zero_mean|mc|demeaned|centred)|cent(er|re)ed(_\w+)?|demeaned|xc|yc|zc|xm|ym|vx|vy|zero_mean|deviations?"
    ),
    {
        "z": Z + r"|(x|y|p|preds?|predictions?|t|targets?|pred_?\w*|logits?|gts?|outputs?|inputs?|labels?)",
        "m": r"(mean|mu|avg|center|centre|centroid)s?(_\w+)?|\w+_(mean|mu|avg|center)|\wbar|m\w?",
    },
    "z - z.mean(0)",
    "z - z.mean(1, True)",
    "z - z.mean(-1, True)",
    "z - z.mean()",
    "z - m",
    "z - m.unsqueeze(-1)",
    "z - m.unsqueeze(1)",
    "z - z.flatten(1).mean(1).reshape(-1, *[1] * (z.dim() - 1))",
    "z - z.flatten(2).mean(2)[..., None, None]",
    "z - z.mean((0, 1))",
)
CENTRED = "(z - z.mean(0))"
quantity(
    "the covariance of the features",
    r"cov(ariances?)?(_?(mat(rix)?|x|y|z|a|b|s|t|1|2|za|zb|z1|z2|src|tgt|source|target|features?))?|sigma_?(mat\w*)",
    {"z": Z, "n": r"n|batch_size|bs|b|batch|num_samples|n_samples|ns|nt|m"},
    *(
        f"{CENTRED}.mT @ {CENTRED} / ({size})"
        for size in ("z.shape[0] - 1", "z.shape[0]", "n - 1", "n", "1", "z.shape[0] + 1")
    ),
    "(z[:, :, :] - z.mean(-1, True)) @ (z - z.mean(-1, True)).transpose(-1, -2) / (z.shape[-1] - 1)",
    "(z[:, :, :] - z.mean(-1, True)) @ (z - z.mean(-1, True)).transpose(-1, -2) / z.shape[-1]",
    "(z[:, :, :] - z.mean(1, True)).transpose(-1, -2) @ (z - z.mean(1, True)) / (z.shape[1] - 1)",
    "(z[:, :, :] - z.mean(1, True)).transpose(-1, -2) @ (z - z.mean(1, True)) / z.shape[1]",
    shaped=True,
)
BARLOW = (
    "{0}.mT @ {1}",
    "{0}.mT @ {1} / {0}.shape[0]",
    "{0}.mT @ {1} / ({0}.shape[0] - 1)",
    "{0}.mT @ {1} / n",
    "{0}.mT @ {1} / (n - 1)",
)
STD_A, STD_B = "((a - a.mean(0)) / a.std(0{}))", "((b - b.mean(0)) / b.std(0{}))"
quantity(
    "the cross-correlation of the features",
    r"c|cc|(cross_?)?corr(elation)?s?(_?mat(rix)?)?|cross_?(corr\w*|cov\w*)|c_?mat",
    {"a": EMB_A + r"|z_?[1ai]_?n\w*", "b": EMB_B + r"|z_?[2bj]_?n\w*", "n": r"n|batch_size|bs|batch|num_samples"},
    *(each.format("a", "b") for each in BARLOW),
    *(each.format("b", "a") for each in BARLOW),
    *(each.format(STD_A.format(how), STD_B.format(how)) for each in BARLOW for how in ("", ", False")),
    *(each.format("(a / a.norm(2, 0))", "(b / b.norm(2, 0))") for each in BARLOW[:1]),
)
quantity(
    "the terms on the diagonal",
    r"on_?diag(onal)?(_?(loss|term))?|inv(ariance)?_?(term|loss)|diag_(loss|term)",
    {"c": r"c|cc|(cross_?)?corr\w*|cross_\w+"},
    "(c.diagonal() - 1).pow(2).sum()",
    "(c.diagonal() - 1).pow(2).mean()",
    "(c.diagonal() - 1).pow(2)",
)
MATRIX = r"c|cc|(cross_?)?corr\w*|cross_\w+|cov\w*|c_diff|x|m|mat(rix)?"
quantity(
    "the terms off the diagonal",
    r"off_?diag(onal)?(_?(loss|term|sum))?|redundancy\w*",
    {"c": MATRIX},
    "c.pow(2).sum() - c.diagonal().pow(2).sum()",
    "(c.pow(2).sum() - c.diagonal().pow(2).sum()) / c.shape[0]",
    "(c.pow(2).sum() - c.diagonal().pow(2).sum()) / (c.shape[0] * (c.shape[0] - 1))",
    "c.flatten()[:-1].view(c.shape[0] - 1, c.shape[0] + 1)[:, 1:]",
    "c.flatten()[:-1].view(c.shape[0] - 1, c.shape[0] + 1)[:, 1:].pow(2)",
    "c - diag(c.diagonal())",
    "(c - diag(c.diagonal())).pow(2)",
    "c.masked_fill(eye(c.shape[0]).bool(), 0).abs().sum()",
)
quantity(
    "the standard deviations of the features",
    r"std_?(z|x|y|a|b|za|zb|z_?[ab12]|1|2|src|tgt|features?)?|(z|x|y|z_?[ab12])_?std|stds",
    {"z": Z, "eps": r"eps(ilon)?", "v": r"var(iance)?s?(_\w+)?|\w+_var"},
    *(f"sqrt(z.var({axes}) + {eps})" for axes in ("0", "0, False") for eps in ("1e-4", "eps", "0")),
    "sqrt(v)",
    "sqrt(v + eps)",
    "sqrt(v + 1e-4)",
    "z.std(1)",
    "z.std(-1)",
    "z.std()",
    "z.flatten(1).std(1)",
    "z.transpose(0, 1).flatten(1).std(1)",
    "z.std(1, False)",
    "z.flatten(2).std(2)",
    "sqrt(z.flatten(2).var(2) + eps)",
    "sqrt(z.flatten(2).var(2) + 1e-5)",
    "sqrt(z.var(1) + eps)",
    "sqrt(z.var(-1) + eps)",
    "z.var(0).sqrt() + eps",
)
quantity(
    "the loss of small deviations",
    r"(std|var(iance)?)_?(loss|term|reg)|loss_?(std|var)|v_loss_std",
    {
        "a": r"std_?(x|a|za|z_?[a1]|1)|(x|z_?[a1])_?std",
        "b": r"std_?(y|b|zb|z_?[b2]|2)|(y|z_?[b2])_?std",
        "s": r"stds?(_z)?",
        "g": r"gamma|target_std|margin",
    },
    "(1 - s).clamp_min(0)",
    "(g - s).clamp_min(0)",
    "(1 - a).clamp_min(0).mean() + (1 - b).clamp_min(0).mean()",
    "(g - a).clamp_min(0).mean() + (g - b).clamp_min(0).mean()",
    "(1 - a).clamp_min(0).sum() + (1 - b).clamp_min(0).sum()",
    factor=True,
    reduced=True,
)
FLAT = "z.flatten(2)"
quantity(
    "the Gram matrix",
    r"gram\w*|gram_?(mat\w*)?|\w_gram",
    {"z": r"x|f|fs|feat\w*|features?|y|fmap|act\w*|h|inputs?|tensor|img|a|out"},
    *(
        f"{features} @ {features}.transpose(-1, -2) / ({size})"
        for features in (FLAT, "z")
        for size in (
            "1",
            "z[0].numel()",
            "z.numel()",
            "z[0, 0].numel()",
            "z.shape[1]",
            "z[0].numel() * 2",
            "z.shape[-1]",
        )
    ),
    "z @ z.mT",
    "z.mT @ z",
    "z.transpose(-1, -2) @ z",
    "z.transpose(-1, -2) @ z / z.shape[1]",
    "z.transpose(-1, -2) @ z / z[0].numel()",
    "z.flatten(1) @ z.flatten(1).mT",
    "(z.flatten(1) @ z.flatten(1).mT) / z[0].numel()",
    "z.flatten(1) @ z.flatten(1).mT / z.shape[0]",
    "(z / z.norm(2, 1, True)) @ (z / z.norm(2, 1, True)).mT",
    "(z.flatten(1) / z.flatten(1).norm(2, 1, True)) @ (z.flatten(1) / z.flatten(1).norm(2, 1, True)).mT",
    "(z.flatten(0, 1).flatten(1) @ z.flatten(0, 1).flatten(1).mT) / z.numel()",
    "z.flatten(0, 1).flatten(1) @ z.flatten(0, 1).flatten(1).mT",
)
quantity(
    "the probabilities of the centred teacher",
    r"q|(teacher|t|target)_?(out|outputs?|probs?|softmax|p|q|dist)?|soft_?(teacher|targets?)",
    {
        "t": r"(teacher|t|target)_?(out\w*|outputs?|logits?|scores?|feat\w*|preds?)?",
        "c": r"(?<!self\.)(teacher_)?cent(er|re)",
        "u": r"(teacher_?|t_?)?(temp\w*|tau|t)|tpt",
    },
    "softmax((t - c) / u, -1)",
    "softmax((t - c) / u, 1)",
    "(t - c) / u",
    "t - c",
)
quantity(
    "the moved average",
    r"new_?(cent(er|re)|mean|ema|proto\w*|avg)|(cent(er|re)|ema|proto\w*)_?new|updated\w*|ema",
    {
        "o": r"(old_?)?(cent(er|re)|ema|running_mean|proto\w*)(_old)?|prev\w*|old",
        "b": r"(batch_?)?(cent(er|re)|mean|proto\w*)|batch_\w+|current|cur",
        "m": r"(center_?)?(momentum|m|decay|alpha)",
    },
    "o * m + b * (1 - m)",
    "o * (1 - m) + b * m",
)
