"""Splits into training, validation and test: drawn anew for each seed, with each group in one part."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from losskit.experiment.tasks.task import InputError

PART = 0.2  # share of the groups for the test, and for validation

Indices = NDArray[np.intp]


def split_groups(groups: Sequence[Hashable], seed: int, *, test: bool = True) -> dict[str, Indices]:
    """Indices of train, validation and, unless the test is separate, test: each group is in one part."""
    numbers = group_numbers(groups)
    count, parts = len(set(numbers)), 3 if test else 2
    if count < parts:
        raise InputError(
            f"Training, validation and test need at least {parts} independent groups; there "
            f"{'is' if count == 1 else 'are'} {count}. Give more data, or --groups that distinguishes more groups."
        )
    if not test:
        train, validation = halves(np.arange(len(groups)), numbers, PART, seed)
        return {"train": train, "validation": validation}
    rest, held = halves(np.arange(len(groups)), numbers, PART, seed)
    train, validation = halves(rest, numbers, PART / (1 - PART), seed)
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
    """The number of independent groups, and a description of the split; no group is in two parts."""
    ours, theirs = set(keys[:own]), set(keys[own:])
    both = sorted(ours & theirs)
    if both:
        raise InputError(
            f"{len(both)} of the groups in --test are also in the training data ({', '.join(both[:5])}); the test "
            "would include training data. Remove them from one of the two."
        )
    counted = f"{len(ours)} groups, each in one part" if what == "group" else f"every {what} by itself"
    if theirs:
        rows = f"{len(keys) - own} items in {len(theirs)} groups" if what == "group" else f"{len(keys) - own} items"
        said = f"The test part ({rows}) is separate and fixed; each seed draws 80 % of the rest for training, 20 % for"
        return min(len(ours), len(theirs)), f"{said} validation ({counted})."
    return len(ours), (f"Each seed draws 60 % for training, 20 % for validation and 20 % for the test ({counted}).")
