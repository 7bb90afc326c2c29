"""Roles: what the names of a loss and its parameters say about its tensors, if behaviour leaves it open."""

from __future__ import annotations

import re
from collections.abc import Sequence

from losskit.checker.words import Words

Key = tuple[str, str, str]  # kind, scores, layout

TARGETS = {
    *("target", "targets", "label", "labels", "lb", "lbl", "y_true", "true", "truth", "gt", "ground_truth", "mask"),
    "y",
}
INPUTS = {
    *("input", "inputs", "pred", "preds", "prediction", "predictions", "y_pred", "output", "outputs", "logits", "x"),
}
OVERLAPS = ("dice", "iou", "jaccard", "tversky", "overlap", "prob", "mask", "lovasz")
NUMBERS = ("mse", "mae", "l1", "l2", "huber", "regress", "depth", "flow")  # in the name of a loss of numbers

TRIPLETS = ("pairs", "embeddings", "triplets")
BOXES = ("regression", "boxes", "boxes")
ELBO = ("penalty", "values", "elbo")
ELBO_OF_SHARES = ("penalty", "probabilities", "elbo")
PRIOR = ("penalty", "values", "log-variance")
ABOVE = ("pairs", "values", "above")
GROUPED = ("pairs", "embeddings", "groups")
NEXT = ("sequence", "logits", "next")
QUANTILES = ("regression", "values", "quantiles")
# The names of a loss called like this contain a word of each group.
_WORDS: dict[Key, tuple[tuple[str, ...], ...]] = {
    TRIPLETS: (("anchor", "triplet", "positive", "pos"), ("negative", "neg", "anchor", "triplet")),
    BOXES: (("box", "iou"),),
    ELBO: (("mu", "mean"), ("var", "std", "sigma")),
    ELBO_OF_SHARES: (("mu", "mean"), ("var", "std", "sigma")),
    PRIOR: (("mu", "mean"), ("log_var", "logvar", "log_sigma", "log_std")),
    GROUPED: (("embed", "feat"), ("label", "target")),
    QUANTILES: (("quantile", "pinball"),),
    ("pairs", "values", "order"): (("rank", "margin", "order", "pair"),),
    ("survival", "values", "survival"): (("time", "duration"), ("event", "status", "censor")),
    ("sequence", "logits", "batch-first"): (("input_len", "logit_len"), ("target_len", "label_len")),
}
# Forms that too many losses fit by their shapes: the names must confirm them.
ONLY_BY_NAME = (ELBO, ELBO_OF_SHARES)
HEATMAPS = r"heat_?map|centernet|cornernet|penalty.reduced|center_?focal"
# Forms of three or two tensors that fit by chance: names or documentation must contain this.
_CONFIRMED = {
    "centred": r"cx|xywh|cent(er|re)s?\b|w, ?h\b",
    "heatmap": HEATMAPS,
    "sides": r"distances? to|ltrb|\(l, ?t, ?[rb], ?[rb]\)",
    "boxes": r"box|iou|xyxy|xywh|corner|\((n|m|b), 4\)",
    "triplets": r"anchor|triplet|positive|negative|\bpos|neg(_|\b)|\ba p n\b",
    "survival": r"surv|cox|hazard|risk|censor|event|time|duration|status|death",
    "bins": r"surv|hazard|censor|event|time|duration|status|death|interval|bin",
    "censored-bins": r"surv|hazard|censor",
    "ranks": r"ordinal|coral|corn|rank|threshold|level|grade|\bage|k ?- ?1\)",
    "next": r"next.?token|causal|shift|autoregress|language.?model|\blm|lm_?loss|\bsft\b|fine.?tun|completion",
}
_THRESHOLDS = r"\bcoral|\bcorn\b|corn_?loss|\bk ?- ?1\b|num_classes ?- ?1|ordinal[^.]*\blevels|p\((y|label|rank) ?> ?k"
_OF_CLASSES = r"focal|(true|correct|right) class|class (indices|index|ids?)"
_OF_TEACHERS = r"teacher|student|distil|soft (label|target)|\bkl\b"
_BACKGROUND = r"\b0 (is|means|for|=) (the )?background\b.{0,40}\b1 ?(\.\.|to|-|,)|\b1 ?\.\. ?[ck]\b.{0,60}background"
_LISTS = r"list_?net|list_?mle|lambda_?(rank|loss)|n_?dcg|list_?wise|relevance|learning.to.rank|list of (items|doc)"
_NO_CORNERS = r"distances? to|ltrb|\(l, ?t, ?[rb], ?[rb]\)|offsets|deltas|rotated|angle"
LOGS = r"log.?prob|log.?softmax|log.?likelihoods"
_VIEWS = r"\bviews?\b|contrastive|info_?nce|nt_?xent|simclr|\bclip_\w|of clip\b|siglip|vicreg|barlow|simsiam|byol|moco"
_DISTANCES = r"dist(ance)?_?(map|transform|field)s?|\bsdf|\bsdm|^dtm|_dtm"
_SPREAD = r"uncertain|(^|_)scale$|log_?(var|sigma|std|scale|b$|s$)|var(iance)?$|^sigma|^std|_std$|_sigma$"
_HIGH = r"(^|_)(pos|positive|chosen|preferred|winner|better|real)"
_LOW = r"(^|_)(neg|negative|rejected|loser|worse|fake)"
_NEARNESS = r"dist(ance)?s?$|energ(y|ies)$|(^|_)d_?(ap|an|pos|neg)$"  # what should be low for a positive
_TARGET = r"targets?|labels?|y_true|(ground_)?truth|gt"
_REFERENCE = r"ref|old|target"
# Arguments that are not tensors, and must be bound.
OPTIONS = {
    *("temperature", "tau", "gamma", "margin", "smooth", "smoothing", "eps", "lam", "reduction"),
    *("epoch", "step", "iteration"),
}
COUNTS = ("num_", "n_", "avg_factor", "normalizer")  # prefixes of the names of numbers


def is_option(name: str) -> bool:
    """Whether an argument of this name is not a tensor, and must be bound."""
    return name.lower() in OPTIONS or name.lower().startswith(COUNTS)


def says(key: Key, hints: str) -> bool:
    """Whether the names of a loss, joined as one text, say that it is called like this."""
    return key in _WORDS and all(any(word in hints for word in words) for words in _WORDS[key])


_POLICY = r"actor|polic(y|ies)|\bsac|td3|ddpg|log_?prob|q_?value"


def unbounded(words: Words) -> bool:
    """Whether a loss says that it trains a policy, which may have no least value."""
    return re.search(_POLICY, words.all) is not None


def of_lists(words: Words) -> bool:
    """Whether a loss says that it ranks the items of lists."""
    return re.search(_LISTS, words.all) is not None


def of_thresholds(words: Words) -> bool:
    """Whether a loss says that it takes K - 1 logits of thresholds for K ordered classes."""
    return re.search(_THRESHOLDS, words.all) is not None and not re.search(r"deep ?coral|covarian", words.all)


_OUTLINES = r"boundar|contour|outline|hausdorff|skeleton|surface|dist(ance)?_?map|\bsdf|\bsdm|edge"
_LEFT_OUT = r"(pad|ignor|invalid|missing|masked out|exclud|not count|void|absent)"
_ON = r"\b(true|1|1s|ones?|set|nonzero)\b"


def masks_out(name: str, words: Words) -> bool:
    """Whether a mask of this name marks what does not count, by the documentation."""
    said = words.clauses.get(name, "")
    if re.search(rf"{_ON}[^.;]{{0,30}}(valid|real|observed|counts|keep|kept|used|not pad)", said):
        return False
    before, after = rf"{_ON}[^.;]{{0,40}}{_LEFT_OUT}", rf"{_LEFT_OUT}\w*[^.;]{{0,20}}{_ON}"
    return re.search(before, said) is not None or re.search(after, said) is not None


_MORE = (
    r"(count|weigh)\w*[^.;]{0,40}\b(times|more|higher|extra)|emphasi[sz]e|\btimes as much|upweight|"
    r"extra weight|(foreground|region|edge|lesion|face)s?[^.;]{0,30}weigh"
)


def emphasises(words: Words) -> bool:
    """Whether a mask marks what counts more, rather than what counts at all."""
    return words.say(_MORE) or re.search(r"\b1(\.0?)? ?\+ ?[^\n]{0,40}\w*mask", words.code) is not None


def of_shapes(words: Words) -> bool:
    """Whether the loss compares outlines, distances or statistics, which no other form describes."""
    return re.search(_OUTLINES, words.all) is not None or of_statistics(words)


def side_of(name: str) -> int:
    """1 if the numbers of this name should be high, -1 if they should be low, 0 if the name does not say so."""
    if re.search(_REFERENCE, name.lower()):
        return 0
    side = int(re.search(_HIGH, name.lower()) is not None) - int(re.search(_LOW, name.lower()) is not None)
    return -side if re.search(_NEARNESS, name.lower()) else side


def of_generator(name: str) -> bool:
    """Whether a loss of this name trains a generator, which raises the scores of fake samples."""
    return re.search(r"(^|_)g(en|enerator)?(_|$|loss)|generator|Gen(?=[A-Z])", name) is not None


def sides_of(required: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(side_of, required))


def is_spread(name: str) -> bool:
    """Whether a tensor of this name is a variance or a scale, or its logarithm."""
    return re.search(_SPREAD, name.lower()) is not None


def placed(tensors: Sequence[str], required: Sequence[str]) -> bool:
    """Whether the names of a call say that its variance is where this form has it."""
    at = [n for n, name in enumerate(tensors) if "var" in name]
    if len(at) != 1 or len(tensors) != len(required) or not is_spread(required[at[0]]):
        return False
    return ("log" in tensors[at[0]]) == ("log" in required[at[0]].lower())


def _unlike(layout: str, required: Sequence[str], words: Words) -> bool:
    """Whether the second argument holds lengths, or columns are quantiles, so that it labels nothing."""
    if len(required) == 2 and re.search(r"(^|_)(len|lens|length|lengths)$", required[1].lower()):
        return True
    return layout in ("indices", "indices-channel") and re.search(r"quantile|pinball", words.all) is not None


_OF_ERRORS = r"wing|huber|charbonnier|smooth_?l1|\b[rmsl]*mse|\b\w?mae\b|log_?cosh"  # names of losses of numbers
_OF_NUMBERS = (
    r"\bm[sa]e\b|(squared|absolute) (error|difference)|derivative|(?<!ordinal )(?<!logistic )regression|forecast"
)
_OF_LABELS = r"mask|label|class|prob|logit|binary|segment|heat|brier|\b0 (or|and) 1|one.?hot|indic|calibrat|image"
# What a loss of logits does to them, or code that does it elsewhere.
_ACTIVATES = (
    r"sigmoid|softmax|logit|entropy|softplus|exp|tanh|log|hinge|margin|relu|clamp|clip|max|min|_loss\(|nll|bce|where|"
    r"self\.\w+\(|func|act|> ?0|< ?0|sign|norm|cos|\bce\b"
)


def _misnamed(key: Key, labels: bool, required: Sequence[str], words: Words) -> bool:
    """Whether the name or the documentation of one argument says something else."""
    kind, scores, layout = key
    if _unlike(layout, required, words) or (kind == "distribution" and re.search(_OF_ERRORS, words.names)):
        return True
    if labels and words.say(_OF_NUMBERS) and not re.search(_OF_LABELS, words.all):
        return True
    arithmetic = re.search(r"\.(mean|sum)\(", words.code) is not None
    if labels and scores == "logits" and arithmetic and not re.search(_ACTIVATES, words.code):
        return True  # numbers of any size, of which no probability is computed
    first, second = (required[0], required[1]) if len(required) > 1 else ("".join(required), "")
    if scores == "boxes" and layout != "sides" and re.search(_NO_CORNERS, words.all):
        return True
    if scores == "probabilities" and re.search(LOGS, words.clauses.get(first, "")):
        return True
    if scores == "log_probabilities" and kind != "sequence" and "logit" in f"{first} {second}".lower():
        return True
    if labels and len(required) <= 2 and (re.search(r"(?<!target_)(?<!label_)dist", second.lower()) or embeds(first)):
        return True
    if layout.endswith("bins") and (layout == "bins") == _censors(required, words):
        return True
    shares = re.search(r"hazard|prob", first.lower()) is not None and "logit" not in words.all
    if layout.endswith("bins") and scores == "logits" and shares:
        return True
    if re.search(_DISTANCES, second.lower()) and kind != "regression":
        return True
    if layout == "above" and re.fullmatch(_TARGET, second.lower()):
        return True
    return layout == "teacher" and may_index(second) and second.lower() not in ("target", "targets", "y")


def _censors(required: Sequence[str], words: Words) -> bool:
    """Whether the last argument of a survival loss is 1 for a censored sample."""
    name = required[-1] if required else ""
    said = words.clauses.get(name, "")
    if re.search(r"\b1\W*(=|if|for|is|means)?\W*(an? |the )?(event|uncens|observed|dea|dead)", said):
        return False
    return re.search(r"^c$|cens", name.lower()) is not None and "uncens" not in name.lower()


_HEAD = (
    r"\b(mean|mu|loc)\b[^.;\n]{0,50}\b(log|raw|softplus|var\w*|std|sigma|log_?\w+|standard|scale|spread)\b|"
    r"\[\.\.\., ?0\][^.;\n]{0,60}\[\.\.\., ?1\]"
)


def of_heads(words: Words) -> bool:
    """Whether the documentation says that the last dimension of the input holds a mean and a spread."""
    return words.say(r"\((\.\.\.|n|b|\w+(, ?\w+)?), ?2\)") and words.say(_HEAD)


_SIGNS = (
    r"\b(targets?|labels?|y|y_true)\b[^.;\n]{0,40}(\{?-1,? ?(or|and|/|,) ?\+?1\b|\+?\b1,? ?(or|and|/|,) ?-1\b|\u00b11)"
)


def of_signs(words: Words) -> bool:
    """Whether the target is documented as 1 or -1."""
    return words.say(_SIGNS)


def _not_of_counts(layout: str, required: Sequence[str], words: Words) -> bool:
    """Whether counts are compared with something else than their rate or its logarithm."""
    if "poisson" not in words.all or not any(re.fullmatch(r"\w*counts?", each.lower()) for each in required):
        return False
    return layout != "counts" or re.search(r"logit|raw|unconstrained", required[0].lower()) is not None


def contradicts(key: Key, labels: bool, required: Sequence[str], words: Words) -> bool:
    """Whether the names or the documentation of a loss say that it is not called like this."""
    kind, scores, layout = key
    heads = len(required) == 2 and of_heads(words)
    if heads or _misnamed(key, labels, required, words) or _not_of_counts(layout, required, words):
        return True
    if scores == "positive" and re.match(r"im(g|age)", required[-1].lower()):  # a depth is compared with no image
        return True
    if labels and (
        of_statistics(words) or of_lists(words) or (kind == "multiclass" and re.search(r"\bcoral|\bcorn\b", words.all))
    ):
        return True
    sizes = next((words.shapes[each] for each in required[:2] if each in words.shapes), ())
    if kind == "binary" and len(sizes) > 1 and sizes[1] in ("C", "K"):
        return True
    confirmed = _CONFIRMED.get(layout)
    unnamed = not words.text and all(len(name) == 1 for name in required)
    if confirmed is not None and not unnamed and not re.search(confirmed, words.all):
        return True
    if layout == "elbo" and sum(map(is_spread, required)) > 1:
        return True
    if _of_others(labels, layout, required, words) or _channels_differ(required, words):
        return True
    if layout == "triplets" and (holds_no_samples(required[-1], words) or _of_survival(required)):
        return True
    spread, plain = any(map(is_spread, required)), all(len(name) == 1 for name in required)
    if len(required) == 3 and "variance" in layout and not spread and not plain:
        return True
    if len(required) >= 3 and spread:
        return "variance" not in layout and layout != "elbo"
    if len(required) == 3 and any("len" in name.lower() for name in required):
        return kind != "sequence"
    return _not_of_sides(key, labels, required, words)


def _channels_differ(required: Sequence[str], words: Words) -> bool:
    """Whether one of two tensors is documented with a multiple of the channels of the other, (N, 2*C, ...)."""
    sizes = [words.shapes.get(name, ()) for name in required[:2]]
    channels = [each[1] for each in sizes if len(each) > 1]
    return len(channels) == 2 and channels[0] != channels[1] and any("*" in each and len(each) > 1 for each in channels)


def _of_others(labels: bool, layout: str, required: Sequence[str], words: Words) -> bool:
    """Whether the documentation is of class labels, labels with a background, or events, unlike the layout."""
    if layout == "survival":
        columns = [words.shapes.get(name, ())[1:] == ("1",) for name in required[1:]]
        return any(columns) and not all(columns)
    if layout == "teacher":
        return re.search(_OF_CLASSES, words.all) is not None and not re.search(_OF_TEACHERS, words.all)
    if layout in ("order", "signs", "partners", "above") or (layout == "groups" and "risk" in words.names):
        return any(re.search(r"event|duration|censor", name.lower()) for name in required)
    return (labels or layout == "groups") and re.search(_BACKGROUND, words.all) is not None


_PREDICTED = r"(^|_)(pred|hat|output|est)\w* (\w+_)?(true|truth|target|gt|label)s?\b"


def _not_of_sides(key: Key, labels: bool, required: Sequence[str], words: Words) -> bool:
    """Whether the names of two tensors say that they are two sides, or two views, of something else."""
    opposed = len(required) == 2 and sorted(sides_of(required)) == [-1, 1]
    if opposed and key[0] != "regression":
        return key[2] != "above"
    if key[2] == "partners" and len(required) == 2 and re.search(_PREDICTED, " ".join(required).lower()):
        return True
    if key[2] == "partners" and re.search(r"\bhsic|independen[ct]|decorrelat|orthogonal", words.all):
        return True
    target = len(required) == 2 and required[1] != "y" and may_index(required[1])
    return labels and not target and re.search(_VIEWS, words.all) is not None


def _of_survival(required: Sequence[str]) -> bool:
    """Whether a call takes a mask, or times with events: no triplet."""
    return "mask" in required[-1].lower() or {"time", "event"} <= {name.lower().rstrip("s") for name in required}


def holds_no_samples(name: str, words: Words) -> bool:
    """Whether the rows of a tensor are not samples of the batch, by its name or its documented shape."""
    sizes = words.shapes.get(name, ())
    counted = len(sizes) == 1 and re.fullmatch(r"(num|n)_\w+", sizes[0].lower()) is not None
    return counted or re.search(r"proto|cent(er|re|roid)|queue|bank|codebook", name.lower()) is not None


def embeds(name: str) -> bool:
    return re.match("emb|feat", name.lower()) is not None


def teacher_first(required: Sequence[str]) -> bool:
    """Whether the output of a teacher comes before that of the student, which is trained."""
    first, second = (each.lower() for each in required[:2]) if len(required) > 1 else ("", "")
    return first.startswith("teacher") and second.startswith("student")


def data_first(required: Sequence[str]) -> bool:
    """Whether the data comes before what was computed for it: x, x_logits."""
    first, second = (each.lower() for each in required[:2]) if len(required) > 2 else ("", "")
    return re.fullmatch(rf"{re.escape(first)}_(logits?|hat|rec\w*|pred)", second) is not None


def of_statistics(words: Words) -> bool:
    """Whether the names say that statistics of two images are compared, not their elements."""
    return re.search(r"mutual_?info", words.names) is not None and not re.search(r"logit|prob|label", words.names)


def are_usual(names: Sequence[str]) -> bool:
    """Whether two tensors have the usual names of a prediction and its target."""
    first, second = (name.lower() for name in names)
    if len(first) == len(second) == 1:
        return False
    return (first in INPUTS and second in TARGETS) or (first in TARGETS and second in INPUTS)


def may_index(name: str) -> bool:
    """Whether a tensor of this name may hold class indices."""
    return name.lower() in TARGETS or "label" in name.lower()


def shapes_of(required: Sequence[str]) -> list[str]:
    """The shapes that the tensors of a call may have, in the letters of `examples.SEVERAL`, the simplest first."""
    found = ["n"]
    for name in required[1:]:
        letters = "nrcik" if may_index(name) else "nrck"
        found = [before + letter for before in found for letter in letters]
    return sorted([*found, "r" * len(required)], key=lambda each: (len(each) - each.count("n"), each))[:81]


def simple_shapes_of(required: Sequence[str]) -> list[str]:
    """The same for many tensors: all of the input's shape or one number per sample, but class indices by name."""
    index = ["i" if re.search(r"label|action|ind(ex|ices)", name.lower()) else "" for name in required]
    rows = "".join(each or "r" for each in index)
    return list(dict.fromkeys([rows, "n" + rows[1:], "".join(each or "n" for each in index), _wide(required, index)]))


def _wide(required: Sequence[str], index: Sequence[str]) -> str:
    """The first tensor, and those whose name repeats its last word, are wide."""
    stem = required[0].lower().split("_")[0]
    wide = [n == 0 or stem in name.lower() for n, name in enumerate(required)]
    return "".join(i or ("n" if w else "r") for i, w in zip(index, wide, strict=True))
