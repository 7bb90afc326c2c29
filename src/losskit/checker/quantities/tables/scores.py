"""Scores of masks: Dice, Tversky, precision, recall."""

from losskit.checker.quantities.forms import EPS, measured, summed
from losskit.checker.quantities.tables.overlaps import FIRST, INTER, PARTS, SECOND

DICE = {
    "num": r"num(erator)?|dice_num\w*",
    "i": INTER,
    "c": r"cardinality|card|cardinalities|unions?|total|denom(inator)?|den|sums?|size|mask_sum|u",
    "a": FIRST,
    "b": SECOND,
    "fp": r"fps?|false_pos\w*",
    "fn": r"fns?|false_neg\w*",
    "eps": EPS,
    "d": r"dice|dice_?(scores?|coeff?(icient)?s?|index)|dsc|dices|scores?",
} | PARTS
SCORES = [f"2 * i / (C){end}" for end in ("", ".clamp_min(1)")] + [
    "(2 * i + eps) / (C + eps)",
    "2 * i / (C + eps)",
    "2 * i / (C).clamp_min(eps)",
    "2 * (i + eps) / (C + eps)",
    "(2 * i + eps) / (C + 2 * eps)",
    "2 * (i + eps) / (C + 2 * eps)",
    "(2 * i + eps) / (C)",
    "(2 * i + eps) / (C + eps).clamp_min(1e-8)",
]
DICES = [
    *(formula.replace("C", size) for formula in SCORES for size in ("c", "a + b", "2 * i + fp + fn", "c + i")),
    *(formula.replace("2 * i", "num").replace("2 * (i", "(num").replace("C", "c") for formula in SCORES),
    *summed(*(formula.replace("C", "SUM(p) + SUM(t)") for formula in SCORES)),
    *summed(*(formula.replace("C", "SUM(p ** 2) + SUM(t ** 2)") for formula in SCORES)),
    *summed(
        *(
            formula.replace("2 * i", "2 * SUM(p * t)").replace("i ", "SUM(p * t) ").replace("C", "SUM(p) + SUM(t)")
            for formula in SCORES
        )
    ),
    *summed(
        *(
            formula.replace("2 * i", "2 * SUM(p * t)")
            .replace("i ", "SUM(p * t) ")
            .replace("C", "SUM(p ** 2) + SUM(t ** 2)")
            for formula in SCORES
        )
    ),
]
measured(
    "the Dice score",
    r"dice_?(scores?|coeff?(icient)?s?|index)|dsc|dice_per_\w+",
    {n: p for n, p in DICE.items() if n not in ("d", "l", "m")},
    *DICES,
)
measured(
    "the Dice score, or 1 less it",
    r"dice|dices|dc",
    {n: p for n, p in DICE.items() if n not in ("d", "l", "m")},
    *DICES,
    *(f"1 - {formula}" for formula in DICES),
    *(f"-({formula})" for formula in DICES),
)
measured(
    "the Dice loss, or the score",
    r"(soft_)?dice_?loss(es)?|loss_?dice|l_dice",
    {n: p for n, p in DICE.items() if n not in ("l", "m")},
    "1 - d",
    "-d",
    "-log(d)",
    "(1 - d) / 2",
    *(f"1 - {formula}" for formula in DICES),
    *(f"-({formula})" for formula in DICES),
    *DICES,
)
measured(
    "the loss of an overlap",
    r"(iou|jaccard|tversky)_?loss(es)?|loss_?(iou|jaccard|tversky)",
    {"s": r"ious?|jaccards?|tversky(_index)?|ti|score|mean_iou|miou|jac"},
    "1 - s",
    "-s",
    "-log(s)",
    "-log(s.clamp_min(1e-6))",
)
measured(
    "the Tversky index",
    r"tversky(_?(index|score|coef\w*))?|ti|t_index",
    {
        "i": INTER,
        "fp": r"fps?|false_pos\w*",
        "fn": r"fns?|false_neg\w*",
        "alpha": r"alpha|a",
        "beta": r"beta|b",
        "eps": EPS,
    },
    "i / (i + alpha * fp + beta * fn)",
    "i / (i + alpha * fn + beta * fp)",
    "i / (i + alpha * fp + beta * fn + eps)",
    "i / (i + alpha * fn + beta * fp + eps)",
    "(i + eps) / (i + alpha * fp + beta * fn + eps)",
    "(i + eps) / (i + alpha * fn + beta * fp + eps)",
    "i / (i + alpha * fp + (1 - alpha) * fn)",
    "i / (i + alpha * fn + (1 - alpha) * fp)",
    "(i + eps) / (i + alpha * fp + (1 - alpha) * fn + eps)",
    "(i + eps) / (i + alpha * fn + (1 - alpha) * fp + eps)",
    "i / (i + alpha * fp + (1 - alpha) * fn + eps)",
    "i / (i + alpha * fn + (1 - alpha) * fp + eps)",
)
RATES = {
    "tp": r"tps?|true_?pos\w*|inter\w*",
    "fp": r"fps?|false_?pos\w*",
    "fn": r"fns?|false_?neg\w*",
    "tn": r"tns?|true_?neg\w*",
}
RATES |= {"eps": EPS}
measured(
    "the precision",
    r"precisions?|prec|ppv",
    RATES | PARTS,
    "tp / (tp + fp)",
    "tp / (tp + fp + eps)",
    "(tp + eps) / (tp + fp + eps)",
    "tp / (tp + fp).clamp_min(1)",
    *summed("tp / SUM(p)", "tp / (SUM(p) + eps)", "(tp + eps) / (SUM(p) + eps)"),
)
measured(
    "the recall",
    r"recalls?|rec|sensitivit(y|ies)|tpr|sens",
    RATES | PARTS,
    "tp / (tp + fn)",
    "tp / (tp + fn + eps)",
    "(tp + eps) / (tp + fn + eps)",
    "tp / (tp + fn).clamp_min(1)",
    *summed("tp / SUM(t)", "tp / (SUM(t) + eps)", "(tp + eps) / (SUM(t) + eps)"),
)
measured(
    "the specificity",
    r"specificit(y|ies)|tnr|spec",
    RATES,
    "tn / (tn + fp)",
    "tn / (tn + fp + eps)",
    "(tn + eps) / (tn + fp + eps)",
)
measured(
    "the F score",
    r"(soft_|macro_)?f_?(1|beta|score|measure|b)(_?scores?)?|fscores?",
    {"pr": r"precisions?|prec|p", "re": r"recalls?|rec|r|sens\w*", "beta": r"beta2?|b"} | RATES,
    "2 * pr * re / (pr + re)",
    "2 * pr * re / (pr + re + eps)",
    "(1 + beta ** 2) * pr * re / (beta ** 2 * pr + re)",
    "(1 + beta ** 2) * pr * re / (beta ** 2 * pr + re + eps)",
    "(1 + beta) * pr * re / (beta * pr + re)",
    "(1 + beta) * pr * re / (beta * pr + re + eps)",
    "2 * tp / (2 * tp + fp + fn)",
    "2 * tp / (2 * tp + fp + fn + eps)",
    "(2 * tp + eps) / (2 * tp + fp + fn + eps)",
    "(1 + beta ** 2) * tp / ((1 + beta ** 2) * tp + beta ** 2 * fn + fp)",
    "(1 + beta ** 2) * tp / ((1 + beta ** 2) * tp + beta ** 2 * fn + fp + eps)",
    "((1 + beta ** 2) * tp + eps) / ((1 + beta ** 2) * tp + beta ** 2 * fn + fp + eps)",
)
