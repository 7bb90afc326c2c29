"""Means over masks, counts, and graphs."""

from losskit.checker.quantities.forms import EPS, quantity

X = (
    r"loss(es)?|err(or)?s?|diffs?|sq(_?err\w*)?|se|ae|nll|ce|bce|kl|kld|mse|l1|l2|per_\w+|"
    r"\w+_loss(es)?|loss_\w+|l|values?|raw(_loss)?|token_\w+|elementwise\w*|pixel_\w+|dist\w*|logps?|log_?probs?"
)
M = (
    r"m|masks?|valid(_?(mask|pixels?))?|(\w+_)?mask|keep|kept|is_valid|observed|weights?|w|"
    r"roi|ok|known|not_pad|non_pad"
)
N = (
    r"(n|num)_?(valid|tokens?|pos\w*|elements?|keep|kept|obs\w*|masked|active\w*|pixels?)?|"
    r"counts?|denom(inator)?|total_?(weight|valid)?|norm(alizer)?|valid_count|den"
)
MEANS = [
    f"(x * {mask}).{top} / {low}"
    for mask in ("m", "m.unsqueeze(1)", "m.unsqueeze(-1)")
    for top, low in (
        ("sum()", "m.sum().clamp_min(1e-9)"),
        ("sum()", "m.sum().clamp_min(1)"),
        ("sum()", "(m.sum() + eps)"),
        ("sum()", "m.sum().clamp_min(eps)"),
        ("sum()", "(n + 1e-9)"),
        ("sum()", "(n + zeros(1)).clamp_min(1)"),
        ("sum()", "(n + eps)"),
        ("sum(1)", "m.sum(1).clamp_min(1e-9)"),
        ("sum(1)", "m.sum(1).clamp_min(1)"),
        ("sum(-1)", "m.sum(-1).clamp_min(1e-9)"),
        ("sum(-1)", "m.sum(-1).clamp_min(1)"),
        ("sum(-1)", "(m.sum(-1) + eps)"),
        ("sum(1)", "(m.sum(1) + eps)"),
        ("sum(-1)", "(n + 1e-9)"),
        ("sum(1)", "(n + 1e-9)"),
        ("sum(-1)", "(n + zeros(1)).clamp_min(1)"),
        ("flatten(1).sum(1)", "m.flatten(1).sum(1).clamp_min(1e-9)"),
        ("flatten(1).sum(1)", "m.flatten(1).sum(1).clamp_min(1)"),
        ("flatten(2).sum(2)", "m.flatten(2).sum(2).clamp_min(1)"),
        ("flatten(1).sum(1)", "(n + 1e-9)"),
        ("sum(0)", "m.sum(0).clamp_min(1e-9)"),
        ("sum(0)", "m.sum(0).clamp_min(1)"),
    )
]
quantity(
    "the mean over the mask",
    (
        r"masked_?(mean|loss|avg|average|err\w*|mse|mae|l1)|mean_?(masked|valid|over_mask|nll|"
        r"loss|ce|err\w*)|per_?(sample|seq\w*|example|image)(_loss)?|(loss|nll|mse|mae)_?(masked|mean)|avg_?(loss|nll|log_?p\w*)"
    ),
    {"n": N, "m": M, "x": X, "eps": EPS},
    *MEANS,
    *(f"({each}).mean()" for each in MEANS if "sum()" not in each),
    "x * m",
    "(x * m).sum()",
    "(x * m).mean()",
    "(x * m).sum(1)",
    "(x * m).sum(-1)",
    "(x * m).mean(1)",
    "(x * m).mean(-1)",
    "(x * m).flatten(1).sum(1)",
    "(x * m).flatten(1).mean(1)",
    "x / n",
    "x.sum() / n",
    "x.sum() / (n + zeros(1)).clamp_min(1)",
    "x.sum(-1) / n",
    "x.sum(1) / n",
    "(x * m.unsqueeze(1)).mean()",
    "(x * m.unsqueeze(-1)).mean()",
)
quantity(
    "the number of valid elements",
    (
        r"(n|num)_?(valid|pos(itives?)?|tokens?|masked|keep|kept|obs\w*|active\w*)|"
        r"valid_?(count|num)|counts?|pos_?(counts?|num)|n_valid_\w+"
    ),
    {"m": r"m|masks?|valid(_?mask)?|keep|kept|(pos|neg|token|loss|attention|pad|valid)_?mask|pos(itives?)?|obs\w*"},
    *(
        f"{form}{end}"
        for form in (
            "m.sum()",
            "m.sum(1)",
            "m.sum(-1).clamp_min(1e-9)",
            "m.flatten(1).sum(1).clamp_min(1e-9)",
            "m.sum(0).clamp_min(1e-9)",
            "m.flatten(2).sum(2).clamp_min(1e-9)",
            "(1 - m).sum()",
            "(1 - m).sum(-1)",
            "(m > 0).sum()",
            "(m > 0).sum(1)",
        )
        for end in ("", ".clamp_min(1)", " + 1e-6")
    ),
    "m.sum((0, 2, 3))",
    "m.flatten(2).sum((0, 2))",
    binary=("m",),
    factor=True,
)
ADJ = r"(a|adj|adjacenc(y|ies)|adj_?mat(rix)?|w|weights?|affinity|sim\w*|graph)(_?(mat(rix)?|norm|sym))?"
DEG = r"d|deg(rees?)?|degs?|degree_\w+|d_?mat(rix)?|diag"
INV = r"d_?inv_?(sqrt|half)?(_?mat\w*)?|inv_?sqrt_?(d|deg)\w*|deg_?inv_?sqrt"
quantity(
    "the degrees",
    r"deg(rees?)?|degs?",
    {"a": ADJ},
    "a.sum(1)",
    "a.sum(-1)",
    "a.sum(0)",
    "diag(a.sum(1))",
    "a.abs().sum(1)",
    "a.sum(1).clamp_min(1)",
)
quantity(
    "the Laplacian of the graph",
    r"lap(lacian)?(_?mat(rix)?)?|l_?(sym|norm|rw)|(norm\w*_?)?lap(lacian)?|laplacian_\w+",
    {"v": INV, "d": DEG, "a": ADJ},
    "diag(a.sum(1)) - a",
    "d - a",
    "diag(d) - a",
    "eye(a.shape[0]) - a / (d[:, None] * d).sqrt()",
    "eye(a.shape[0]) - v[:, None] * a * v",
    "eye(a.shape[0]) - v @ a @ v",
    "eye(a.shape[0]) - a / d[:, None]",
    "eye(a.shape[0]) - a / (a.sum(1)[:, None] * a.sum(1)).sqrt()",
    "diag_embed(a.sum(-1)) - a",
    "diag_embed(d) - a",
    "eye(a.shape[0]) - a",
)
quantity(
    "the score of a link",
    r"(pos|neg|link|edge)_?(scores?|logits?)",
    {
        "a": r"(z_?)?(src|source|head|u|users?|from|h)(_?(z|emb\w*|e|h|feat\w*))?",
        "b": r"(z_?)?(dst|dest\w*|tail|i|v|items?|to|t|pos|neg|(pos|neg)_?(items?|dst))(_?(z|emb\w*|e|h|feat\w*))?",
    },
    "(a * b).sum(-1)",
    "(a * b).sum(1)",
    "sigmoid((a * b).sum(-1))",
    "a @ b.mT",
    "(a.unsqueeze(1) * b).sum(-1)",
    "-(a - b).pow(2).sum(-1)",
    "-(a - b).norm(2, -1)",
    "-(a - b).norm(1, -1)",
    "(a - b).norm(2, -1)",
    "(a - b).norm(1, -1)",
    "a * b",
    "(a / a.norm(2, -1, True) * b / b.norm(2, -1, True)).sum(-1)",
)
