"""The conclusions of a comparison as sentences."""

import shlex
from collections.abc import Mapping, Sequence

from losskit.experiment.levels import FEWEST, LOOKS
from losskit.experiment.metrics import CLEAN, DICE
from losskit.experiment.results import Findings, Standing, Tuning, Verdict
from losskit.experiment.tasks.task import Task
from losskit.experiment.words import counted, digits, duration, gain, listed, points

FEW_GROUPS = 10


def headline(verdicts: Sequence[Verdict], blocks: int) -> str:
    """The decision: one or two short sentences, with their numbers."""
    if not verdicts or not verdicts[0].order:
        return "Every loss failed, so there is nothing to rank."
    first = verdicts[0]
    clean = next((each for each in verdicts[1:] if each.metric is CLEAN and each.pairs), None)
    if first.kind == "none":
        return f"{first.order[0]} is the only loss here, so there is nothing to compare it with."
    if first.kind == "early":
        return (
            f"{first.order[0]} scores highest so far, but after {counted(blocks, 'block')} that may be chance: "
            f"at least {FEWEST} are needed to separate losses."
        )
    if first.baseline is None:
        return without_baseline(first)
    if first.chosen is None:
        return keep(first, clean)
    gained = gain(first.gains[first.chosen], first.metric)
    if clean is None:
        return f"{first.chosen} is better than {first.baseline}: {first.metric.label} {gained}.{as_good(first)}"
    better = f"{first.chosen} segments the non-empty ones better ({gained} Dice over {first.baseline})"
    return f"On images like these, some of them empty, {better}{of_empty(clean, first.chosen)}.{as_good(first)}"


def as_good(verdict: Verdict) -> str:
    """The losses that may be as good as the chosen one, so that the choice between them is open."""
    assert verdict.chosen is not None
    pairs = {loss: verdict.pair(loss, verdict.chosen) for loss in verdict.order if loss != verdict.baseline}
    tied = [loss for loss, pair in pairs.items() if pair is not None and not pair.separated]
    return f" {listed(tied)} may be as good." if tied else ""


def of_empty(clean: Verdict, chosen: str) -> str:
    """The effect on empty images of the loss that is better elsewhere."""
    pair = clean.pair(chosen, clean.baseline)
    if pair is None or clean.baseline is None:
        return ""
    change = clean.gains[chosen]
    if not pair.separated:
        if pair.within(clean.margin):
            return " and leaves as many of the empty ones clean"
        return f"; its effect on empty ones is not decided ({gain(change, clean.metric)} of them left clean)"
    if change.mean < 0:
        more = f" but marks something in {points(change.mean)} more of the empty ones"
        return f"{more}; keep {clean.baseline} if those matter"
    return f" and leaves {points(change.mean)} more of the empty ones clean"


def keep(first: Verdict, clean: Verdict | None) -> str:
    """Nothing is better than the baseline so far."""
    baseline, label = first.baseline, first.metric.label
    assert baseline is not None
    assert first.bound is not None
    if first.bound == 0:
        text = f"Keep {baseline}: nothing is better."
    else:
        text = f"No clear winner. Keep {baseline}: nothing gains more than {digits(first.bound)} {label}."
    if clean is not None and clean.chosen is not None:
        over = points(clean.gains[clean.chosen].mean)
        text = f"{text[:-1]}, but {clean.chosen} leaves {over} more of the empty images clean."
    return text


def without_baseline(first: Verdict) -> str:
    best = first.order[0]
    if first.chosen is not None:
        return f"{best} is best: {first.metric.label} is better than with any other loss here."
    tied = [loss for loss in first.order if (pair := first.pair(best, loss)) is None or not pair.separated]
    if first.kind == "same":
        return f"No clear winner: {listed(tied)} differ by less than {digits(first.margin)} {first.metric.label}."
    return f"No clear winner: {listed(tied)} may each be best."


def so_far(verdicts: Sequence[Verdict], blocks: int, seconds: float) -> str:
    """What is known, and the expected time to a decision, at this many seconds per block."""
    if not verdicts or verdicts[0].kind == "none":
        return ""
    first = verdicts[0]
    known = f"After {counted(blocks, 'block')}"
    leader = next((loss for loss in first.order if loss in first.gains), None)
    if leader is not None:
        known += f": {leader} {gain(first.gains[leader], first.metric)} {first.metric.label} over {first.baseline}"
    first_look = max(LOOKS[0] - blocks, 0)
    over = first.pair(leader, first.baseline) if leader is not None else None
    more = max(first_look, (over.blocks_to_decide or 0) if over is not None else 0)
    if first.settled or not more:
        return f"{known}."
    return f"{known}; a decision is likely in about {duration(more * seconds)}."


def about_numbers(findings: Findings) -> list[str]:
    """A description of the numbers in the table."""
    if findings.blocks < FEWEST or len(findings.ranking) < 2:
        return [f"Test data, mean of {counted(findings.blocks, 'block')}."]
    first = findings.verdicts[0]
    said = [
        f"Test data, mean of {findings.blocks} blocks, each a seed and a split; ± at 95 % over all losses and looks. "
        "Losses that share a letter do not differ significantly.",
    ]
    if findings.detectable is not None:
        said.append(
            f"This many blocks detect a difference of {digits(findings.detectable)} with 80 % power; less than "
            f"{digits(first.margin)} counts as the same."
        )
    return said


def advice(verdicts: Sequence[Verdict], task: Task, budget: float | None) -> str:
    """What to do next: a command, or a line of code."""
    if not verdicts or not verdicts[0].pairs:
        return ""
    first = verdicts[0]
    if not first.settled:
        longer = f"{max(10.0, 3 * (budget or 0.0)):g}"
        return f"Next, for more blocks: {shlex.join(['losskit', 'compare', *task.arguments, '--budget', longer])}"
    chosen = first.chosen or first.baseline or first.order[0]
    if task.is_users:
        return f"Next, to use it: criterion = losskit.build({chosen!r})"
    worth = [loss for loss in dict.fromkeys((chosen, first.baseline)) if loss is not None]
    worth += [] if first.chosen else [loss for loss in first.order if loss not in worth][:2]
    own = {"segmentation": "--images DIR --masks DIR", "labels": "--csv FILE --target COLUMN"}
    data = own["segmentation" if task.metrics[0] is DICE else "labels"]
    return f"Next, on your own data: losskit compare {data} --losses {shlex.quote(', '.join(worth))}"


def cautions(
    verdicts: Sequence[Verdict],
    ranking: Sequence[Standing],
    tunings: Sequence[Tuning],
    lost: Mapping[str, str],
    groups: int | None,
) -> tuple[str, ...]:
    """What else a reader of the verdict must know; `lost` maps losses without results to the reasons."""
    said = []
    if groups is not None and groups < FEW_GROUPS:
        said.append(
            f"The data hold {groups} independent groups. With fewer than {FEW_GROUPS}, the intervals describe these "
            "data and say little about others."
        )
    if len(verdicts) > 1 and verdicts[0].order[:1] != verdicts[1].order[:1] and verdicts[1].chosen is not None:
        one, other = verdicts[0], verdicts[1]
        said.append(
            f"The ranking depends on the score: by {one.metric.label} {one.order[0]} is first, by "
            f"{other.metric.label} {other.order[0]}."
        )
    for each in tunings:
        if each.edge is not None:
            side = "low" if each.edge == "lowest" else "high"
            said.append(
                f"The best learning rate of {each.loss}, {each.chosen:g}, is the {each.edge} that was tried: the best "
                f"may lie further {side}."
            )
    moved = [standing.loss for standing in ranking if standing.moves_threshold]
    if moved:
        only = "only moves" if len(moved) == 1 else "only move"
        said.append(
            f"{listed(moved)} {only} the threshold: the difference to {verdicts[0].baseline} at 0.5 is gone when both "
            "choose their threshold on validation data."
        )
    said += [
        f"{standing.loss} failed in {standing.failed} of {standing.blocks + standing.failed} blocks."
        for standing in ranking
        if standing.failed
    ]
    said += [f"{loss} has no result: {why}." for loss, why in lost.items()]
    return tuple(said)
