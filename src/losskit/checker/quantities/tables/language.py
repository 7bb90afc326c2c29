"""Language models: shifts, masks, smoothing and the load of experts."""

from losskit.checker.quantities.forms import reduced
from losskit.checker.quantities.quantity import quantity

LOGITS = r"(lm_?|pred_?|output_?)?(logits|lm_logits|scores|outputs?|preds?)"
LABELS = r"labels?|targets?|input_?ids|tokens?|ids|tgt|y"
quantity(
    "the logits without the last step",
    r"shift(ed)?_?(\w+_)?logits(_flat)?",
    {"x": LOGITS},
    *("x[..., :-1, :]", "x[:-1]", "x[:, :, :-1]"),
)
quantity(
    "the labels without the first step",
    r"shift(ed)?_?(\w+_)?(labels?|targets?|ids|input_ids|tokens)(_flat)?",
    {"x": LABELS},
    *("x[..., 1:]", "x[1:]"),
)
IGNORED = r"ignore_?(index|id|label|value)?|pad(ding)?_?(idx|id|token_?id|index|token)?|mask_?value|ignored_index"
quantity(
    "the mask of the labels that count",
    (
        r"keep|valid(_?(mask|tokens?|labels?|positions?|pos|pixels?))?|"
        r"non_?pad(ding)?(_?mask)?|not_?(pad|ignored?)(ding)?(_?mask)?|active(_loss)?|"
        r"is_valid|loss_masks?|label_masks?|kept|real"
    ),
    {"i": IGNORED, "x": rf"(shift(ed)?_?)?({LABELS})(_?(flat|shift(ed)?))?|gt|y_true"},
    *("x != i", "x[..., 1:] != i", "x[..., None] != i"),
)
quantity(
    "the mask of the labels to leave out",
    r"is_?(pad(ding)?|ignored?)|ignored(_mask)?|ignore_mask",
    {"i": IGNORED, "x": rf"(shift(ed)?_?)?({LABELS})(_?(flat|shift(ed)?))?|gt|y_true"},
    *("x == i", "x[..., 1:] == i"),
)
LENGTHS = r"\w*(lens?|lengths?)(_\w+)?|num_frames|sizes"
_STEPS = r"max_?(len(gth)?|size|t|steps?)|t|n|seq_?len(gth)?|num_?steps|n_steps|t_max|time|frames|maxlen"
_COUNT = (
    "arange(n.__int__())",
    "arange(k.max().__int__())",
    "arange(x.shape[1])",
    "arange(x.shape[-1])",
    "arange(x.shape[0])",
    "arange(x.shape[2])",
)
_MASKS = [f"{each}[None] < k[:, None]" for each in _COUNT]
_LATER = [f"({each}[None] < k[:, None]).T" for each in _COUNT]
for _said, _named, _forms in (
    (
        "the mask of the steps within each length",
        (
            r"(seq(uence)?|len(gth)?s?|valid|frame|time|att(entio)?n|src|tgt|mel|text)_?mask|"
            r"valid|keep|in_range|make_non_pad_mask|sequence_mask|lengths?_to_mask|"
            r"get_mask_from_lengths"
        ),
        (*_MASKS, *_LATER),
    ),
    (
        "the mask of the steps beyond each length",
        r"is_pad(ding)?|make_pad_mask|beyond|invalid",
        (*(f"~({each})" for each in _MASKS), *(f"~({each})" for each in _LATER)),
    ),
    (
        "a mask of lengths",
        r"masks?|(pad(ding)?|key_padding)_?mask",
        (*_MASKS, *_LATER, *(f"~({each})" for each in (*_MASKS, *_LATER))),
    ),
):
    quantity(
        _said,
        _named,
        {
            "n": _STEPS,
            "k": LENGTHS,
            "x": (
                r"x|y|preds?|targets?|inputs?|outputs?|logits|mel\w*|y_?pred|y_?true|seqs?|sequences?|"
                r"scores|recon\w*|est\w*|feats?|data"
            ),
        },
        *_forms,
    )
_NLL = r"(nll|ce|hard|xent|cross_entropy)(_?loss)?(_sum|_mean)?|per_token_nll|token_nll"
_SMOOTH = r"(smooth(ed|ing|ness)?|uniform|unif|kl_uniform|reg)_?(loss|term|ce|nll)?(_sum|_mean)?"
_RATE = r"(label_?)?smoothing(_?(eps(ilon)?|value|factor|rate))?|eps(ilon)?|ls(_eps)?|alpha"
_BOTH = ("(1 - r) * n + r * s", "c * n + r * s", "c * n + (1 - c) * s", "n + r * s")
quantity(
    "the loss of smoothed labels",
    r"(smooth(ed)?_?)?(loss(es)?|total)|ls_loss|per_token|smoothed_nll",
    {"c": r"confidence|conf", "r": _RATE, "n": _NLL, "s": _SMOOTH},
    *reduced(*_BOTH[:3]),
    *(
        form.format(n=n, s=s)
        for form in ("(1 - r) * n.{n} + r * s.{s}",)
        for n in ("sum()", "mean()")
        for s in ("sum()", "mean()")
    ),
)
quantity(
    "the smoothed labels",
    r"(soft|smooth(ed)?)_?(targets?|labels?|one_?hot|dist|y)|(targets?|labels?|one_?hot|y)_?(smooth(ed)?|soft|ls)",
    {
        "r": _RATE,
        "k": r"n|c|k|(num|n)_?(classes|labels|class)|classes|n_classes?|vocab_?size|v",
        "t": r"(y_?)?(targets?|labels?|one_?hot|y|hot|true_dist|gt|y_true)(_?(one_?hot|float|oh))?",
    },
    *(
        "t * (1 - r) + 0.5 * r",
        "t * (1 - r) + r / k",
        "t * (1 - r) + (1 - t) * r / (k - 1)",
        "t * (1 - r) + r / t.shape[-1]",
    ),
    *(
        "t * (1 - r) + (1 - t) * r",
        "t * (1 - 2 * r) + r",
        "t * (1 - r) + r / t.shape[1]",
        "t * (1 - r)",
        "t * (1 - r) + (1 - t) * r / (t.shape[-1] - 1)",
    ),
    *("clamp(t, r, 1 - r)", "(1 - t) * (1 - r) + t * r", "(1 - r) * eye(k.__int__())[t.long()] + r / k"),
)
quantity(
    "the mean probability of each expert",
    (
        r"(router_?)?prob_?(s_)?per_?expert|density_?1?_?proxy|(mean_)?(router|gate|"
        r"expert)_?probs?_?(mean|avg)|avg_(router|gate|expert)_probs?|importance"
    ),
    {"p": r"(router|routing|gate|gating|raw)_?(probs?|weights?|gates?|scores?|softmax)|probs|gates"},
    *("p.mean(0)", "p.sum(0)", "p.mean((0, 1))", "p.mean(-2)", "p.sum((0, 1))"),
)
_LOAD = (
    r"(tokens?|frac(tion)?|assign\w*|load|dispatch\w*)_(per_?expert|frac\w*|f)|"
    r"density(_1)?|expert_(load|frac\w*)"
)
_CHANCE = r"(router_?)?prob_?(s_)?per_?expert|density_?1?_?proxy|mean_probs|(router|gate|expert)_prob\w*_(mean|avg)"
for _named, _load, _chance in (
    (r"loss|overall_loss", _LOAD, _CHANCE),
    (
        r"l_?aux|aux(iliary)?_?loss|(load_?)?balanc\w*_?loss|switch_loss|load_balancing",
        rf"{_LOAD}|f|f_i|ce|load",
        rf"{_CHANCE}|p|p_i|me",
    ),
):
    quantity(
        "the loss of an unbalanced load",
        _named,
        {"n": r"(num|n)_?experts?|e|experts", "f": _load, "p": _chance},
        *("n * (f * p).sum()", "(f * p).sum()", "n**2 * (f * p).mean()", "(f * p).mean()", "n * (f * p).sum(-1)"),
        factor=True,
    )
quantity(
    "the loss of large normalisers",
    r"(router_?)?z_?loss",
    {"l": r"log_?(z|sum_?exp|norm\w*)|lse", "x": r"(router_?|gate_?|shift_?)?logits"},
    *reduced("l**2", "logsumexp(x, -1)**2"),
    factor=True,
)
