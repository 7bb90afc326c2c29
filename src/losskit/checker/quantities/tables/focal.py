"""Parts of focal losses: the probability of the truth, the balance, the modulating factor."""

from losskit.checker.quantities.forms import EPS, LOGITS, quantity

P = (
    r"p|ps|y?_?probs?|probas?|probabilit(y|ies)|preds?|predictions?|inputs?|outputs?|"
    r"y_?(pred|hat|prob)|(pred|input|output|logits?)s?_?(sigmoid|soft(max)?|prob\w*)|sigmoid_?\w*|\w+_sigmoid|scores?"
)
T = r"t|targets?|y|labels?|gts?|truth|y_?true|(one_?)?hot|one_?hot_?\w*|targets?_\w+|\w+_one_?hot"
CE = r"ce|bce|ce_?loss\w*|bce_?loss\w*|cross_?entropy\w*|loss_?b?ce|nll(_loss)?|logits_loss|focal_bce"
PT = r"pt|p_t|probs?_?t|true_probs?|p_true|p_target|p_correct"
LOG_PT = r"log_?pt|log_?p_t|logp_t|log_?probs?_?t|log_?pt_?t"
GAMMA = r"gamma|g|focal_gamma|focusing(_param\w*)?"
ALPHA = r"alpha|a|balance_param|pos_alpha"
ALPHA_T = r"alpha_?t|alpha_?factor|alpha_?weights?|at|alphas|a_t|class_weights?|balance\w*"
MODULATOR = r"modulat\w*|mod_?factor|focal_?(weight|factor|term|mod\w*)s?|focus\w*|weight_f|scale_factor"
parts = {"shifted": r"xs_\w+", "pt": PT, "lpt": LOG_PT, "ce": CE, "l": LOGITS, "p": P, "t": T}
SURE = "sigmoid((2 * t - 1) * l)"
PICKED = "p.gather(1, t.long().unsqueeze(1)).squeeze(1)"
PICKED_L = "softmax(l, 1).gather(1, t.long().unsqueeze(1)).squeeze(1)"
OF_TRUTH = [
    "p * t + (1 - p) * (1 - t)",
    "where(t == 1, p, 1 - p)",
    "where(t > 0.5, p, 1 - p)",
    "where(t > 0, p, 1 - p)",
    "where(t >= 0.5, p, 1 - p)",
    "1 - abs(p - t)",
    "p * t + (1.05 - p).clamp_max(1) * (1 - t)",
    "(p * t).sum(1)",
    "(p * t).sum(-1)",
    PICKED,
    "p.gather(-1, t.long().unsqueeze(-1)).squeeze(-1)",
    SURE,
    "where(t == 1, sigmoid(l), sigmoid(-l))",
    "where(t > 0.5, sigmoid(l), sigmoid(-l))",
    "sigmoid(l) * t + sigmoid(-l) * (1 - t)",
    "(softmax(l, 1) * t).sum(1)",
    "(softmax(l, -1) * t).sum(-1)",
    PICKED_L,
    "softmax(l, -1).gather(-1, t.long().unsqueeze(-1)).squeeze(-1)",
    "softmax(l, 1).movedim(1, -1).flatten(0, -2).gather(1, t.long().flatten().unsqueeze(1)).squeeze(1)",
    "exp(-ce)",
    "exp(lpt)",
]
quantity("the probability of the truth", r"p_t|probs?_t|true_probs?|p_true|p_target|p_correct", parts, *OF_TRUTH)
quantity("the probability of the truth", r"pt", parts, *OF_TRUTH, *(f"1 - ({each})" for each in OF_TRUTH))
quantity("the error, called pt as in mmdet", r"pt", parts, *(f"1 - ({each})" for each in OF_TRUTH[:6]), instead=True)
quantity(
    "the logarithm of the probability of the truth",
    LOG_PT,
    parts,
    "log(pt)",
    "-ce",
    *(f"log({each})" for each in OF_TRUTH if "exp" not in each),
    *(f"({each.replace('softmax', 'log_softmax')})" for each in OF_TRUTH if "softmax" in each),
    "log_softmax(l, 1)",
    "log_softmax(l, -1)",
    "log(sigmoid(l))",
    "log(sigmoid(l)) * t + log(sigmoid(-l)) * (1 - t)",
)
quantity(
    "the balance of the classes",
    ALPHA_T,
    {"alpha": ALPHA, "t": T},
    "alpha * t + (1 - alpha) * (1 - t)",
    "where(t == 1, alpha, 1 - alpha)",
    "where(t > 0, alpha, 1 - alpha)",
    "where(t > 0.5, alpha, 1 - alpha)",
    "where(t >= 0.5, alpha, 1 - alpha)",
    "(alpha + zeros(1)).flatten()[t.long()]",
    "alpha * t + (t == 0) * (1 - alpha)",
    binary=("t",),
)
FACTORS = [
    "(1 - pt) ** gamma",
    "(1 - pt).clamp_min(0) ** gamma",
    "(1 - exp(-ce)) ** gamma",
    "(1 - exp(lpt)) ** gamma",
    "abs(t - p) ** gamma",
    "(1 - p).clamp_min(0) ** gamma",
    "p.clamp_min(0) ** gamma",
    "abs(t - sigmoid(l)) ** gamma",
    "sigmoid((1 - 2 * t) * l) ** gamma",
    "where(t == 1, 1 - p, p) ** gamma",
    "where(t > 0.5, 1 - p, p) ** gamma",
    "(1 - p * t - (1 - p) * (1 - t)) ** gamma",
]
quantity("the modulating factor", MODULATOR, parts | {"gamma": GAMMA}, *FACTORS)
BALANCE = ("alpha", "where(t == 1, alpha, 1 - alpha)", "(alpha * t + (1 - alpha) * (1 - t))", "at")
quantity(
    "the balanced modulating factor",
    MODULATOR + r"|weights?|w",
    {"at": ALPHA_T, "alpha": ALPHA, "gamma": GAMMA} | parts,
    *(f"{balance} * {each}" for balance in BALANCE for each in [*FACTORS, "pt ** gamma"]),
)
LOSS = [
    *(f"{each} * ce" for each in FACTORS[:3]),
    "-((1 - pt) ** gamma) * lpt",
    "-((1 - pt) ** gamma) * log(pt)",
    "-((1 - exp(lpt)) ** gamma) * lpt",
    "-((1 - pt) ** gamma) * log(pt + eps)",
    "m * ce",
    "-m * lpt",
    "-m * log(pt)",
]
FOCAL = {"at": ALPHA_T, "alpha": ALPHA, "gamma": GAMMA, "m": MODULATOR, "eps": EPS} | parts
quantity(
    "the focal loss",
    r"(focal_?)?loss(es)?|f_?loss|loss_?focal|fl|cls_loss|batch_loss|per_\w+",
    {n: p for n, p in FOCAL.items() if n not in ("l", "p", "t")},
    *LOSS,
    *(f"{balance} * ({each})" for balance in ("alpha", "at") for each in LOSS),
    factor=True,
    reduced=True,
)
for which, sides in (("positives", ("p", "1 - p")), ("negatives", ("1 - p", "p"))):
    quantity(
        f"the loss of the {which}",
        rf"({which[:3]}|{which[:-1]})_?(loss(es)?|term|part)|loss_?{which[:3]}",
        {"gamma": GAMMA + r"|alpha", "p": P, "i": rf"{which[:3]}(itives?|atives?)?(_(inds?|mask|idx))?"},
        f"log({sides[0]}) * ({sides[1]}) ** gamma * i",
        f"-log({sides[0]}) * ({sides[1]}) ** gamma * i",
        f"log(({sides[0]}).clamp_min(1e-4)) * ({sides[1]}) ** gamma * i",
        f"-log(({sides[0]}).clamp_min(1e-4)) * ({sides[1]}) ** gamma * i",
    )
quantity(
    "the part of hard negatives near a centre",
    r"neg_weights?",
    {"t": T, "beta": r"beta|b|neg_power"},
    "(1 - t) ** beta",
)
