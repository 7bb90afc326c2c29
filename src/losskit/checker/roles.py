"""Roles: what the names of a loss and its parameters say about its tensors, if behaviour leaves it open."""

from __future__ import annotations

from collections.abc import Sequence

Key = tuple[str, str, str]  # kind, scores, layout

TARGETS = {"target", "targets", "label", "labels", "y_true", "true", "truth", "gt", "ground_truth", "mask", "y"}
INPUTS = {
    *("input", "inputs", "pred", "preds", "prediction", "predictions", "y_pred", "output", "outputs", "logits", "x"),
}
OVERLAPS = ("dice", "iou", "jaccard", "tversky", "overlap", "prob", "mask", "lovasz")

TRIPLETS = ("pairs", "embeddings", "triplets")
BOXES = ("regression", "boxes", "boxes")
ELBO = ("penalty", "values", "elbo")
# The names of a loss called like this contain a word of each group.
_WORDS: dict[Key, tuple[tuple[str, ...], ...]] = {
    TRIPLETS: (("anchor", "triplet", "positive", "pos"), ("negative", "neg", "anchor", "triplet")),
    BOXES: (("box", "iou"),),
    ELBO: (("mu", "mean"), ("var", "std", "sigma")),
    ("survival", "values", "survival"): (("time", "duration"), ("event", "status", "censor")),
    ("sequence", "logits", "batch-first"): (("input_len", "logit_len"), ("target_len", "label_len")),
}
# Forms that too many losses fit by their shapes: the names must confirm them.
ONLY_BY_NAME = (ELBO,)
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


def may_index(name: str) -> bool:
    """Whether a tensor of this name may hold class indices."""
    return name.lower() in TARGETS or "label" in name.lower()


def shapes_of(required: Sequence[str]) -> list[str]:
    """The shapes that the tensors of a call may have, in the letters of `examples.SEVERAL`, the simplest first."""
    found = ["n"]
    for name in required[1:]:
        letters = "nrci" if may_index(name) else "nrc"
        found = [before + letter for before in found for letter in letters]
    return sorted([*found, "r" * len(required)], key=lambda each: (len(each) - each.count("n"), each))[:81]
