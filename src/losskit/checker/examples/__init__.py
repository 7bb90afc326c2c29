"""Examples: well-posed calls of every form of loss, with correct, wrong, or random predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from losskit.checker import several
from losskit.checker.draws import Draw, Tensors, labels_of, laid_out, scores_of
from losskit.checker.examples import latent, numbers, pairs, places, steps

PAIR = ("input", "target")
# Every form except those of labels, by kind, scores and layout: the names of its tensors and how to make them.
OTHERS: dict[tuple[str, str, str], tuple[tuple[str, ...], Callable[[Draw], Tensors]]] = {
    ("regression", "values", "same"): (PAIR, numbers.values),
    ("regression", "values", "bare"): (PAIR, numbers.values_bare),
    ("regression", "values", "with-log-variance"): (("input", "target", "log_var"), numbers.log_variance),
    ("regression", "values", "log-variance-between"): (
        ("input", "log_var", "target"),
        numbers.between(numbers.log_variance),
    ),
    ("regression", "values", "with-variance"): (("input", "target", "var"), numbers.with_variance),
    ("regression", "log_rates", "counts"): (PAIR, numbers.counts),
    ("regression", "rates", "counts"): (PAIR, numbers.rates),
    ("regression", "values", "variance-between"): (("input", "var", "target"), numbers.between(numbers.with_variance)),
    ("distribution", "log_probabilities", "soft"): (PAIR, numbers.distributions),
    ("distribution", "log_probabilities", "log-soft"): (PAIR, numbers.log_distributions),
    ("multilabel", "logits", "label-lists"): (PAIR, numbers.label_lists),
    ("pairs", "distances", "signs"): (PAIR, pairs.distances),
    ("pairs", "values", "order"): (("input1", "input2", "target"), pairs.ranking),
    ("pairs", "embeddings", "alike"): (("input1", "input2", "target"), lambda draw: pairs.pairs(draw, 1.0, -1.0)),
    ("pairs", "embeddings", "alike-1"): (("input1", "input2", "target"), lambda draw: pairs.pairs(draw, 1.0, 0.0)),
    ("pairs", "embeddings", "alike-0"): (("input1", "input2", "target"), lambda draw: pairs.pairs(draw, 0.0, 1.0)),
    ("pairs", "embeddings", "alike-1-column"): (("input1", "input2", "target"), pairs.in_column(1.0, 0.0)),
    ("pairs", "embeddings", "alike-0-column"): (("input1", "input2", "target"), pairs.in_column(0.0, 1.0)),
    ("pairs", "embeddings", "triplets"): (("anchor", "positive", "negative"), pairs.triplets),
    ("pairs", "embeddings", "partners"): (PAIR, pairs.partners),
    ("pairs", "embeddings", "groups"): (PAIR, pairs.groups),
    ("sequence", "log_probabilities", "sequences"): (
        ("log_probs", "targets", "input_lengths", "target_lengths"),
        steps.sequences,
    ),
    ("distribution", "logits", "teacher"): (PAIR, numbers.teacher),
    ("distribution", "logits", "teacher-and-labels"): (("input", "teacher", "target"), numbers.teacher_and_labels),
    ("regression", "values", "quantiles"): (PAIR, numbers.quantiles),
    ("regression", "boxes", "boxes"): (PAIR, places.boxes),
    ("regression", "boxes", "centred"): (PAIR, places.centred_boxes),
    ("regression", "boxes", "sides"): (PAIR, lambda draw: numbers.positives(replace(draw, classes=4, spatial=()))),
    ("regression", "images", "images"): (PAIR, places.images),
    ("regression", "probabilities", "heatmap"): (PAIR, places.heatmaps),
    ("regression", "logits", "heatmap"): (PAIR, places.heatmaps_of_logits),
    ("ordinal", "logits", "ranks"): (PAIR, steps.ranks),
    ("survival", "values", "survival"): (("input", "time", "event"), steps.survival),
    ("survival", "logits", "bins"): (("input", "bins", "event"), steps.bins),
    ("survival", "probabilities", "bins"): (("input", "bins", "event"), steps.hazards(steps.bins)),
    ("survival", "logits", "censored-bins"): (("input", "bins", "censored"), steps.censored_bins),
    ("survival", "probabilities", "censored-bins"): (("input", "bins", "censored"), steps.hazards(steps.censored_bins)),
    ("regression", "positive", "same"): (PAIR, numbers.positives),
    ("pairs", "values", "above"): (("input1", "input2"), pairs.above),
    ("penalty", "values", "log-variance"): (("mean", "log_var"), latent.prior),
    ("penalty", "values", "elbo"): (("input", "target", "mean", "log_var"), latent.elbo),
    ("penalty", "probabilities", "elbo"): (("input", "target", "mean", "log_var"), latent.elbo_of_shares),
    ("sequence", "logits", "next"): (PAIR, steps.tokens),
    ("sequence", "logits", "batch-first"): (("input", "targets", "input_lengths", "target_lengths"), steps.batch_first),
    ("penalty", "values", "alone"): (("input",), numbers.alone),
}


def tensors_of(kind: str, scores: str, layout: str) -> tuple[str, ...]:
    """The names of the tensors in a call of this form."""
    if layout.startswith(several.SEVERAL):
        return ("input", *(f"tensor{n}" for n in range(2, len(several.parts_of(layout)) + 1)))
    found = OTHERS.get((kind, scores, layout))
    return PAIR if found is None else found[0]


def make(kind: str, scores: str, layout: str, draw: Draw) -> Tensors:
    """The tensors of a call of this form, in float64."""
    if layout.startswith(several.SEVERAL):
        return several.make(layout, draw)
    found = OTHERS.get((kind, scores, layout))
    if found is not None:
        return found[1](draw)
    labels = labels_of(kind, draw)
    input = scores_of(kind, labels, draw, scores)
    target = laid_out(kind, layout, labels, draw.classes)
    return (input.squeeze(1) if layout == "bare" else input), target
