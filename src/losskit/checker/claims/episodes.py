"""Padded tokens of policies, features of discriminators that count, and schedules that only training advances."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker import draws
from losskit.checker.checks.tools import code, tried
from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.claims.kinds import kind
from losskit.checker.claims.policies import ADVANTAGE, NEW, OLD
from losskit.checker.finding import Found
from losskit.checker.subject import Subject

REFERENCE = Role("reference", r"ref\w*")
MASK = Role("mask", r"\w*mask\w*|valid\w*")


def unpadded(claimed: Claimed) -> Iterator[Found]:
    """What advantages and log-probabilities hold at padded tokens changes nothing."""
    if not claimed.has("new", "advantage", "mask") or claimed.text.claims(r"prompt|context|terminal|not.?done"):
        return
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]]).double()
    roles = [role for role in ("new", "old", "reference") if claimed.has(role)]
    given = {role: 0.3 * drawn(3, 5, seed=n) - 1 for n, role in enumerate(roles)}
    given |= {"advantage": drawn(3, 5, seed=7), "mask": mask}
    before = claimed.value(**given)
    for role in ("advantage", "new"):
        there = {each: {**given, role: given[role] + 2 * (mask == each)} for each in (0, 1)}
        padded, kept = (claimed.value(**there[each]) for each in (0, 1))
        if not near(padded, before) and not near(kept, before):
            yield claimed.found(
                f"the steps that {claimed.bound['mask']} leaves out change the loss, by {claimed.bound[role]}",
                {"as it is": before, "with other padding": padded},
                "Take means and deviations over the tokens of the mask: (x * mask).sum() / mask.sum().",
                there[0],
            )
            return


_CHOSEN, _OTHER = r"(chosen|win\w*|pos\w*|accepted)", r"(reject\w*|los\w*|neg\w*)"
_SCORES = r"(scores?|rewards?|values?|logits?)"
ANSWERS = tuple(
    Role(f"{name} {part}", rf"{of}_?{names}|{names}_?{of}")
    for name, of in (("chosen", _CHOSEN), ("rejected", _OTHER))
    for part, names in (("scores", _SCORES), ("mask", r"(attention_?|attn_?|loss_?)?mask"))
)


def padded_answers(claimed: Claimed) -> Iterator[Found]:
    """The scores at padded tokens of two answers change nothing."""
    if not claimed.has(*(role.name for role in ANSWERS)) or claimed.text.claims(r"left.?pad|prompt|context"):
        return
    given: dict[str, Any] = {}
    for n, name in enumerate(("chosen", "rejected")):
        lengths = torch.tensor([3, 5, 2]).roll(n)
        given[f"{name} mask"] = (torch.arange(5) < lengths[:, None]).long()
        given[f"{name} scores"] = drawn(3, 5, seed=n)
    before = claimed.value(**given)
    for name in ("chosen", "rejected"):
        kept, role = given[f"{name} mask"], f"{name} scores"
        moved = {**given, role: given[role] + 2 * (1 - kept)}
        after = claimed.value(**moved)
        if not near(after, before):
            yield claimed.found(
                f"{claimed.bound[role]} at padded tokens, where {claimed.bound[f'{name} mask']} is 0, change the loss",
                {"as it is": before, "with other padding": after},
                "The last token of an answer is at mask.sum(dim=1) - 1.",
                moved,
            )
            return


_MAPS = r"(feats?|features?|fmaps?|feature_?maps?)"
_FAKE, _REAL = r"(fakes?|gen\w*|g|gs)", r"(reals?|r|rs)"
FEATURES = (
    Role("scores", rf"(scores?|logits?|out\w*|preds?|disc\w*)_?{_FAKE}|{_FAKE}_?(scores?|logits?|out\w*|preds?)"),
    Role("made", rf"{_MAPS}_?{_FAKE}|{_FAKE}_?{_MAPS}"),
    Role("real", rf"{_MAPS}_?{_REAL}|{_REAL}_?{_MAPS}"),
)


def _is_switched_off(claimed: Claimed) -> bool:
    """Whether an option of the loss leaves the features out."""
    options = {**claimed.subject.origin.options, **getattr(claimed.subject.origin, "given", {})}
    return any(
        re.search(r"feat|match|fm", name.lower()) and value in (False, 0, 0.0) for name, value in options.items()
    )


def features_count(claimed: Claimed) -> Iterator[Found]:
    """Other features of the generated signals are another loss."""
    if not claimed.has("scores", "made", "real") or _is_switched_off(claimed):
        return

    def given(scale: float) -> Mapping[str, Any]:
        made, real = ([[drawn(2, 3, seed=n), drawn(2, 4, seed=n + 1)] for n in at] for at in ((1, 3), (5, 7)))
        made = [[scale * each for each in group] for group in made]
        return {"scores": [drawn(2, 3, seed=9), drawn(2, 2, seed=8)], "made": made, "real": real}

    one, other = claimed.value(**given(1)), claimed.value(**given(3))
    if near(one, other, 1e-6, 1e-9):
        yield claimed.found(
            f"{claimed.bound['made']} changes nothing: the term of the features is never added",
            {"with these features": one, "with other features": other},
            "Add the distance of the features of real and generated signals.",
            given(3),
        )


_TRAINING = r"training (steps?|iterations?|updates?|calls?|batches)|steps? of (the )?training|during training"


@kind(_TRAINING)
def training_steps(subject: Subject) -> Iterator[Found]:
    """Whether a counter of training steps stands still in evaluation."""
    criterion = subject.build()
    if not isinstance(criterion, nn.Module):
        return
    criterion.eval()
    before = _counters(criterion)
    draws.seed()
    if tried(subject.call, criterion, *subject.example(0)) is None:
        return
    after = _counters(criterion)
    for name in before:
        if name in after and after[name] == before[name] + 1:
            yield Found(
                f"a call in evaluation advances {name}, which counts the steps of training",
                {"before": before[name], "after": after[name]},
                code(subject, *subject.example(0), lines=(f"criterion.eval(); {{call}}; print(criterion.{name})",)),
                None,
                f"if self.training: self.{name} += 1",
            )
            return


def _counters(criterion: nn.Module) -> dict[str, float]:
    """The whole numbers that a loss stores."""
    held = {**vars(criterion), **dict(criterion.named_buffers())}
    whole = {
        name: each
        for name, each in held.items()
        if (isinstance(each, int) and not isinstance(each, bool)) or (isinstance(each, Tensor) and each.numel() == 1)
    }
    return {name: float(each) for name, each in whole.items() if re.search(r"step|iter|count|call|epoch|batch", name)}


CLAIMS = (
    Claim(
        "policy gradient of tokens",
        r"token|mask|\bpad|polic|reinforce|\bpg\b|advantage|\bgrpo|\bppo",
        (OLD, REFERENCE, NEW, ADVANTAGE, MASK),
        (unpadded,),
    ),
    Claim("preference of scores of tokens", r"bradley|reward|preference|pairwise", ANSWERS, (padded_answers,)),
    Claim("matched features", r"feature|vocoder|\bfm\b", FEATURES, (features_count,)),
)
