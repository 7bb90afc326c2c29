"""Losses that remember: a center of a teacher's outputs, and targets that are kept for each sample."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from losskit.checker.calling import loss_of
from losskit.checker.claims.claim import Claim, Claimed, Role, drawn
from losskit.checker.finding import Found
from losskit.checker.repro import script

STUDENT = Role("student", r"\w*student\w*|s|s_out\w*|out_?s|pred\w*|x")
TEACHER = Role("teacher", r"\w*teacher\w*|t|t_out\w*|out_?t|target\w*|y")
EPOCH = Role("epoch", r"epoch|step|iteration|it")
INDEX = Role("index", r"index|indices|indexes|idx|ids?|sample_\w+")
SCORES = Role("scores", r"output\w*|logits?|pred\w*|x|inputs?")
LABELS = Role("labels", r"labels?|targets?|y|t|noisy_labels?")


def _called(claimed: Claimed, criterion: Any, **given: Any) -> Tensor:
    named = {claimed.bound[role]: each for role, each in given.items() if role in claimed.bound}
    return loss_of(criterion(**named))[0].detach()


def repro(claimed: Claimed, *lines: str) -> str:
    brought = "\n".join(each for each in ("import torch", claimed.subject.origin.imports) if each)
    return script(brought, claimed.subject.origin.construction(), {}, lines)


def center_of_teacher(claimed: Claimed) -> Iterator[Found]:
    """The center moves towards the mean of a batch: rows that are all alike move it alike, however many they are."""
    if not isinstance(claimed.subject.build(), nn.Module):
        return
    crops = int(claimed.option("ncrops", "n_crops", "num_crops", "crops") or 2)
    moved: list[Tensor] = []
    name, size = "", 0
    for rows in (2, 4):
        criterion: Any = claimed.subject.build()
        name = next((n for n, _ in criterion.named_buffers() if re.search(r"cent(er|re)", n)), "")
        if not name:
            return
        before = criterion.get_buffer(name).clone()
        size = before.shape[-1]
        teacher = torch.linspace(0.5, 1.5, size).expand(2 * rows, size).clone()
        try:
            _called(claimed, criterion, student=drawn(crops * rows, size).float(), teacher=teacher, epoch=0)
        except Exception:  # noqa: BLE001 - it is called in another way
            return
        moved.append(criterion.get_buffer(name).flatten() - before.flatten())
    few, many = moved
    if float(few.norm()) > 0 and float((many - 2 * few).norm()) < 1e-2 * float(few.norm()):
        s, t = claimed.bound["student"], claimed.bound["teacher"]
        yield Found(
            f"{claimed.claim.said}: twice as many equal rows move {name} twice as far: it follows the sum of a batch,"
            " not its mean",
            {"moved by 4 rows": float(few.norm()), "moved by 8 rows": float(many.norm())},
            repro(
                claimed,
                f"criterion({s}=torch.randn({crops * 4}, {size}), {t}=torch.ones(8, {size}))",
                f"print(criterion.{name})",
            ),
            None,
            "Divide the sum by the number of rows, on one device too.",
        )


def samples_apart(claimed: Claimed) -> Iterator[Found]:
    """What is kept of some samples does not change the cost of others."""
    if not isinstance(claimed.subject.build(), nn.Module) or not claimed.has("index", "scores"):
        return
    first: Any = claimed.subject.build()
    tables = [each for each in _tables(first) if each.dim() == 2 and len(each) >= 4]
    if not tables:
        return
    classes = tables[0].shape[1]
    labels = torch.tensor([0, 1])
    ahead, behind = 2 * drawn(2, classes).float(), 2 * drawn(2, classes, seed=1).float()
    try:
        for _ in range(3):
            _called(claimed, first, index=torch.tensor([0, 1]), scores=ahead, labels=labels)
        after = float(_called(claimed, first, index=torch.tensor([2, 3]), scores=behind, labels=labels).mean())
        fresh: Any = claimed.subject.build()
        alone = float(_called(claimed, fresh, index=torch.tensor([2, 3]), scores=behind, labels=labels).mean())
    except Exception:  # noqa: BLE001 - it is called in another way
        return
    if abs(after - alone) > 1e-4 * max(abs(after), abs(alone), 1e-3):
        i, x = claimed.bound["index"], claimed.bound["scores"]
        more = f", {claimed.bound['labels']}=torch.tensor([0, 1])" if claimed.has("labels") else ""
        yield Found(
            f"{claimed.claim.said}: calls with samples 0 and 1 change the cost of samples 2 and 3: what is kept is not "
            "chosen by the index",
            {"alone": alone, "after calls with other samples": after},
            repro(
                claimed,
                f"first, other = torch.randn(2, 2, {classes})",
                f"print(criterion({i}=torch.tensor([2, 3]), {x}=other{more}))",
                f"criterion({i}=torch.tensor([0, 1]), {x}=first{more})",
                "# in a new criterion, this would be the value above",
            ),
            None,
            "Read and write the rows of the index: table[index].",
        )


def _tables(criterion: nn.Module) -> list[Tensor]:
    kept = [each for each in vars(criterion).values() if isinstance(each, Tensor)]
    return [*criterion.buffers(), *kept]


CLAIMS = (
    Claim(
        "loss with a center of the teacher's outputs",
        r"\bdino\b|cent(er|re)(ing|ed)?\b[^.]{0,40}teacher|teacher[^.]{0,40}\bcent(er|re)",
        (STUDENT, TEACHER, EPOCH),
        (center_of_teacher,),
        unless=r"sinkhorn",
    ),
    Claim(
        "loss with targets kept for each sample",
        r"\belr\b|early.?learning|(per|each|every|one)[^.]{0,40}(target|average|ensemble|memory)[^.]{0,20}\bsample|"
        r"temporal ensembl|(kept|stored|average|memory)[^.]{0,30}(for|of|per) (each|every) (sample|example)",
        (INDEX, SCORES, LABELS),
        (samples_apart,),
        unless=r"mixup|momentum contrast|queue|neighbou?r|contrastive|instance discrimination",
    ),
)
