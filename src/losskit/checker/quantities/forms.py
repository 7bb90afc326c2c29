"""Forms: the ways in which the same formula is written for other layouts, and names that many quantities share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from losskit.checker.quantities import quantity as registry

SUMS = (
    "({}).sum()",
    "({}).sum(-1)",
    "({}).sum(0)",
    "({}).sum(1)",
    "({}).flatten(1).sum(1)",
    "({}).flatten(2).sum(2)",
    "({}).flatten(2).sum((0, 2))",
    "({}).mean()",
    "({}).flatten(1).mean(1)",
    "({}).flatten(2).mean(2)",
)

PRED = (
    r"p|ps|(y_?)?probs?|probas?|probabilit(y|ies)|preds?|predictions?|predicted|inputs?|outputs?|y_?(pred|hat|p|prob)|"
    r"i_?flat|p_?flat|(input|pred|prob|output|y_pred)s?_(flat|f|soft|sigmoid|masked)|est|estimates?|m1|recon\w*|x_?(hat|rec\w*)|sr|"
    r"pred(icted)?_\w+|score_map|sigm?|soft(max)?_(out\w*|pred\w*|probs?)|net_output|forecasts?"
)
LOGITS = r"logits?|(pred|class|cls|output|y|mask|seg|input|student|teacher)_?logits?|raw_\w*|scores?"
TRUTH = (
    r"t|ts|tgt|targets?|y|ys|gts?|truth|ground_?truth|labels?|y_?(true|t|gt)|masks?|g|t_?flat|g_?flat|"
    r"(target|label|gt|true|truth|y_true|mask)s?_(flat|f|masked|one_?hot|oh|float|bin\w*)|(y_?)?one_?hot(_\w+)?|hot|m2|"
    r"gt_\w+|true_\w+|actual|ref|reference|hr|observed"
)
EPS = r"eps(ilon)?\d?|s\w{0,2}mooth\w*|tiny|delta_?eps|stab\w*|s"
MASK = (
    r"m|masks?|(valid|keep|loss|pixel|token|padding|pad|attention|obs|observed|pos|roi|"
    r"depth|vis)?_?masks?|valids?|keep|kept|roi|vis(ible|ibility)?|is_valid|ok|known"
)
TEMPERATURE = r"t|temp|temperature|tau|kd_t|(s|softmax|student|teacher|distill?|contrast\w*)_?(t|temp|temperature)"
FEATURES = (
    r"(z|x|f|e|h|emb|embs|embed|embeds|embeddings?|feats?|features?|proj|projections?|out|"
    r"outputs?|reps?|representations?|vectors?|anchors?)(_?(norm|normed|normalized|n|flat))?"
)
LEFT = (
    r"(z|x|f|e|h|p|emb|embs|embed|embeddings?|feats?|features?|proj|out|outputs?|reps?)_?(1|a|i|x|s|src|source|left|online|anchors?|student)|"
    r"x|a|anchors?(_\w+)?|q|query|queries|img|images?|(img|image|vis\w*|v|audio)_?(emb\w*|feat\w*|f|e|z|proj)|z_?(img|image|im)|"
    r"users?(_?(emb\w*|e|vecs?))?|u|src|sources?|heads?|preds?(_\w+)?|student\w*|input_?1|x1|z_?s"
)
RIGHT = (
    r"(z|x|f|e|h|p|emb|embs|embed|embeddings?|feats?|features?|proj|out|outputs?|reps?)_?(2|b|j|y|t|tgt|target|right|momentum|positive|pos|teacher)|"
    r"y|b|k|keys?|txt|texts?|captions?|(txt|text|t|cap\w*)_?(emb\w*|feat\w*|f|e|z|proj)|z_?(txt|text)|"
    r"(pos_|neg_|target_)?items?(_?(emb\w*|e|vecs?))?|i|dst|destinations?|tails?|targets?(_\w+)?|gts?|teacher\w*|"
    r"input_?2|x2|z_?t|codebook|centers?|centroids?|prototypes?|protos?|positives?|negatives?|pos|neg|contrast\w*"
)


def summed(*templates: str) -> list[str]:
    """The formulas with `SUM(...)` written as each of the sums and means that layouts ask for."""
    made = []
    for template in templates:
        if "SUM(" not in template:
            made.append(template)
            continue
        made += [re.sub(r"SUM\(([^()]*(?:\([^()]*\)[^()]*)*)\)", _replace(form), template) for form in SUMS]
    return made


def _replace(form: str) -> str:
    return form.replace("{}", r"\1")


def where(form: str, **choices: Iterable[str]) -> list[str]:
    """A formula with each choice for a word in capitals."""
    made = [form]
    for word, texts in choices.items():
        known = [text if re.fullmatch(r"[\w.]*(\([^()]*\))?", text) else f"({text})" for text in texts]
        made = [each.replace(word, text) for each in made for text in known]
    return made


_REDUCED = (
    "{}",
    "({}).mean()",
    "({}).sum()",
    "({}).mean(-1)",
    "({}).sum(-1)",
    "({}).mean(0)",
    "({}).mean(1)",
    "({}).sum(1)",
    "({}).sum(-1).mean()",
    "({}).flatten(1).mean(1)",
    "({}).flatten(1).sum(1)",
    "({}).flatten(1).sum(1).mean()",
)


def reduced(*formulas: str) -> list[str]:
    """Formulas, and their usual sums and means."""
    return [form.format(each) for each in dict.fromkeys(formulas) for form in _REDUCED]


def negative(formulas: Iterable[str]) -> list[str]:
    """The opposite of formulas."""
    return [f"-({each})" for each in formulas]


def either_sign(*formulas: str) -> list[str]:
    """Formulas whose sign is a convention."""
    return [*formulas, *negative(formulas)]


def with_eps(*formulas: str) -> list[str]:
    """Formulas that may contain a further, tiny number `eps`."""
    return [*formulas, *(f"{each} + 0 * eps" for each in formulas)]


def quantity(said: str, named: str, parts: Mapping[str, str], *formulas: str, **further: Any) -> None:
    """Register a quantity; what is computed from a variable of its own name is something else."""
    registry.quantity(said, named, {**parts, "itself": named}, *formulas, **further)


def measured(said: str, named: str, parts: Mapping[str, str], *formulas: str, **further: Any) -> None:
    """Register a quantity of which means and sums have its name too."""
    quantity(said, named, parts, *reduced(*formulas), **further)


EMB_A = (
    r"(z|f|h|p|emb|embs|embed|embeddings?|feats?|features?|proj|out|reps?)_?(1|a|i|x|s|src|source|left|online|anchors?|student)|"
    r"anchors?(_\w+)?|q|query|queries|(img|image|vis\w*|audio)_?(emb\w*|feat\w*|f|e|z|proj)|z_?(img|image|im)|users?(_?(emb\w*|e|vecs?))?"
)
EMB_B = (
    r"(z|f|h|p|emb|embs|embed|embeddings?|feats?|features?|proj|out|reps?)_?(2|b|j|y|t|tgt|target|right|momentum|positive|pos|teacher)|"
    r"k|keys?|(txt|text|cap\w*)_?(emb\w*|feat\w*|f|e|z|proj)|z_?(txt|text)|(pos_|neg_|target_)?items?(_?(emb\w*|e|vecs?))?|"
    r"codebook|prototypes?|protos?|positives?|negatives?|contrast\w*"
)
