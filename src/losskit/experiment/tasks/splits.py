"""Who trains, who chooses and who tests: drawn anew for each seed, and what belongs together stays together."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from losskit.experiment.tasks.task import InputError

HELD = 0.2  # share of the groups for the test, and for validation

Indices = NDArray[np.intp]


def split_groups(groups: Sequence[Hashable], seed: int, *, test: bool = True) -> dict[str, Indices]:
    """Indices of train, validation and, unless the test is elsewhere, test: items of one group are in one part."""
    numbers = group_numbers(groups)
    count, parts = len(set(numbers)), 3 if test else 2
    if count < parts:
        raise InputError(
            f"Training, validation and test need at least {parts} independent groups apart; there "
            f"{'is' if count == 1 else 'are'} {count}. Give more data, or --groups that tells more of them apart."
        )
    if not test:
        train, validation = halves(np.arange(len(groups)), numbers, HELD, seed)
        return {"train": train, "validation": validation}
    rest, held = halves(np.arange(len(groups)), numbers, HELD, seed)
    train, validation = halves(rest, numbers, HELD / (1 - HELD), seed)
    return {"train": train, "validation": validation, "test": held}


def halves(items: Indices, numbers: NDArray[Any], share: float, seed: int) -> tuple[Indices, Indices]:
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    kept, held = next(splitter.split(items, groups=numbers[items]))
    return items[kept], items[held]


def group_numbers(groups: Sequence[Hashable]) -> NDArray[np.intp]:
    """Each group's number, in order of first appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(group, len(known)) for group in groups], dtype=np.intp)


def held_out(keys: Sequence[str], own: int, what: str) -> tuple[int, str]:
    """How many independent groups the result rests on, and how they are split, in words; no group is on two sides."""
    ours, theirs = set(keys[:own]), set(keys[own:])
    both = sorted(ours & theirs)
    if both:
        raise InputError(
            f"{len(both)} of the groups in --test are in the training data as well ({', '.join(both[:5])}); the test "
            "would be of what was learnt. Take them out of one of the two."
        )
    counted = f"{len(ours)} groups, each of which stays on one side" if what == "group" else f"every {what} by itself"
    if theirs:
        rows = f"{len(keys) - own} apart, of {len(theirs)} groups" if what == "group" else f"{len(keys) - own} apart"
        said = f"The test is {rows}, the same for every seed; each seed draws 80 % of the rest to train on and 20 % for"
        return min(len(ours), len(theirs)), f"{said} validation ({counted})."
    return len(ours), (f"Each seed draws 60 % to train on, 20 % for validation and 20 % for the test ({counted}).")
