"""What each term pulls on: the penalty of a reference, negatives of a batch, sides of a GAN, a codebook."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import torch

from losskit.checker.checks.tools import close, code, is_random, pull, tried, value
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.named import Named, short
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

_NEW = r"(new_?|policy_?|curr\w*_?)?(per_token_)?log_?p(rob)?s?"
_REFERENCE = r"ref(erence)?_?(model_?)?(per_token_)?log_?p(rob)?s?"
_ADVANTAGE = r"adv\w*"


@kind(r"ref_?|reference")
def reference_penalty(subject: Subject) -> Iterator[Found]:
    """Whether a policy that leaves its reference has a higher loss, without any advantage."""
    if subject.spec.way.inside or is_random(subject):
        return
    call = Named(subject)
    new, reference, gain = (call.numbers(each) for each in (_NEW, _REFERENCE, _ADVANTAGE))
    if not len(new) == len(reference) == len(gain) == 1 or call[new[0]].shape != call[reference[0]].shape:
        return
    none = {gain[0]: torch.zeros_like(call[gain[0]])}
    at = call[new[0]]
    equal, above, below = (call.value({**none, reference[0]: at + shift}) for shift in (0.0, 0.5, -0.5))
    if all(map(math.isfinite, (equal, above, below))) and max(above, below) < equal - 1e-5:
        changed = {**none, reference[0]: at + 0.5}
        yield Found(
            f"log-probabilities away from {reference[0]} lower the loss: the divergence from the reference is a bonus, "
            "not a penalty",
            {"0.5 away": above, "equal": equal},
            call.code(changed),
            None,
            "loss = policy_loss + beta * kl",
        )


_IN_BATCH = r"siglip|info_?nce|nt_?xent|clip_loss|cliploss|simclr|in.?batch|pairwise sigmoid"


@kind(_IN_BATCH)
def negatives_in_batch(subject: Subject) -> Iterator[Found]:
    """Whether pairs that all lie at one point have a higher loss than pairs apart from each other."""
    if (
        subject.spec.way.inside
        or subject.spec.labels
        or is_random(subject)
        or re.search(r"ppo|clip(ped|_ratio|_eps)", subject.words.all)
    ):
        return
    if re.search(r"queue|memory|bank|proto", f"{subject.words.all} {subject.words.code}"):
        return  # its negatives are kept on the loss
    call = Named(subject, batch=4)
    wide = [name for name in call.places if call[name].is_floating_point() and call[name].dim() == 2]
    if len(wide) != 2 or len({call[name].shape for name in wide}) != 1:
        return
    size = 4, 8
    apart, collapsed = torch.eye(*size), torch.eye(*size)[:1].expand(size).contiguous()
    costs = [call.value({name: rows.clone() for name in wide}) for rows in (apart, collapsed)]
    if not all(map(math.isfinite, costs)) or costs[1] > costs[0] + 1e-5:
        return
    yield Found(
        "matching pairs that all lie at one point have no higher loss than pairs apart from each other: what does not "
        "match is not pushed apart",
        {"at one point": costs[1], "apart": costs[0]},
        call.code(dict.fromkeys(wide, collapsed)),
        None,
        "Labels of 1 for pairs that match and -1, or another class, for all others.",
    )


@kind(r"cosine|normali", code=r"normalize\(|cosine_similarity")
def own_norm(subject: Subject) -> Iterator[Found]:
    """Whether embeddings are normalised one by one, not each dimension over the batch."""
    spec = subject.spec
    if (
        spec.way.inside
        or spec.labels
        or is_random(subject)
        or re.search(r"barlow|vicreg|standardi|whiten|covarian|(along|over|across) the batch", subject.words.all)
    ):
        return
    if not re.search(r"normalize\(", subject.words.code):
        return
    tensors = subject.example(batch=5, size=())
    first = tensors[0]
    if first.dim() != 2 or first.shape[0] != 5:
        return
    row, column = first.clone(), first.clone()
    row[2] *= 4
    column[:, 1] *= 4
    before, by_row, by_column = (tried(value, subject, each, *tensors[1:]) for each in (first, row, column))
    if before is None or by_row is None or by_column is None or not math.isfinite(before):
        return
    if close(by_column, before, 1e-5, 1e-6) and not close(by_row, before, 1e-3, 1e-5):
        yield Found(
            "a longer embedding of one sample changes the loss, a larger dimension of all does not: embeddings are "
            "normalised over the batch",
            {"one embedding times 4": by_row, "before": before},
            code(subject, row, *tensors[1:]),
            None,
            "F.normalize(x, dim=1)",
        )


@kind(r"relativis")
def both_sides(subject: Subject) -> Iterator[Found]:
    """Whether real and generated scores are compared with the mean of the other side."""
    call = Named(subject, batch=6)
    real, fake = call.numbers(r"\w*real\w*"), call.numbers(r"\w*(fake|gen)\w*")
    if not len(real) == len(fake) == 1 or call[real[0]].shape != call[fake[0]].shape:
        return
    one, other = 2 * short(*call[real[0]].shape, seed=1) + 1, short(*call[real[0]].shape, seed=2)
    given, mirrored = {real[0]: one, fake[0]: other}, {real[0]: -other, fake[0]: -one}
    costs = call.value(given), call.value(mirrored)
    if all(map(math.isfinite, costs)) and not close(*costs, 1e-3, 1e-5):
        yield Found(
            "exchanging both sides with their signs changes the loss: one side is not compared with the mean of the "
            "other",
            {"exchanged": costs[1], "before": costs[0]},
            call.code(mirrored),
            None,
            "real - fake.mean() and fake - real.mean()",
        )


_ENCODED = r"z_?e|ze|inputs?|latents?|z|x|encoded|z_?enc\w*|enc\w*"
_QUANTISED = r"z_?q|zq|quanti[sz]ed|e|codes?|embed\w*|z_?quant\w*|q"
_COMMITMENT = ("beta", "commitment_cost", "commitment_weight", "commitment_coef", "commitment")


@kind(r"\bvq|codebook|commitment|vector.?quanti")
def commitment(subject: Subject) -> Iterator[Found]:
    """Whether the weight of the commitment acts on the encoder, not on the codebook."""
    option = next((each for each in _COMMITMENT if each in subject.spec.options), None)
    call = Named(subject)
    quantised = call.numbers(_QUANTISED)
    encoded = [name for name in call.numbers(_ENCODED) if name not in quantised]
    if option is None or not len(encoded) == len(quantised) == 1:
        return

    def slope(name: str, weight: float) -> float:
        found = tried(pull, subject, *call.tensors, of=call.places[name], options={option: weight})
        return math.nan if found is None else float(found.gradient.norm())

    rises = {name: (slope(name, 0.25), slope(name, 0.75)) for name in (encoded[0], quantised[0])}
    of_encoder, of_codes = rises[encoded[0]], rises[quantised[0]]
    if close(of_encoder[0], of_encoder[1], 1e-4) and close(3 * of_codes[0], of_codes[1], 1e-3) and of_codes[0] > 0:
        yield Found(
            f"{option} weighs the term that moves {quantised[0]}, the codebook, not the commitment of {encoded[0]}",
            {f"slope of {quantised[0]} at 0.25": of_codes[0], "at 0.75": of_codes[1]},
            call.code({}),
            None,
            f"mse(z_q, z_e.detach()) + {option} * mse(z_q.detach(), z_e)",
        )
