"""Interleaved timing in one process, and a time limit for compilation."""

from __future__ import annotations

import gc
import math
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

Action = Callable[[], object]

WARM_UP = 2
SHARE = 1.5  # seconds: time budget of a contender, after FEWEST rounds
FEWEST = 5
FAST = 0.05  # seconds: faster contenders run twice per round, so that half of their runs have warm caches
SAMPLE = 0.002  # seconds: minimum sample; shorter calls are repeated


class Times(NamedTuple):
    minimum: float  # seconds
    median: float
    runs: int


class TooLong(BaseException):
    """The time limit was exceeded. A BaseException, so that no `except Exception` catches it."""


def interleaved(actions: Sequence[Action], rounds: int, *, by_cpu_time: bool = False) -> list[Times]:
    """Times of each action, in rounds of shuffled order: wall-clock time, or CPU time of this thread for many calls."""
    clock = time.thread_time if by_cpu_time else time.perf_counter
    taken: list[list[float]] = [[] for _ in actions]
    used = [0.0] * len(actions)
    turns = [0] * len(actions)
    for action in actions:
        for _ in range(WARM_UP):
            seconds_of(action, clock)
    calls = [math.ceil(SAMPLE / seconds_of(action, clock)) if by_cpu_time else 1 for action in actions]
    shuffle = random.Random(0).shuffle
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            order = [i for i in range(len(actions)) if turns[i] < FEWEST or used[i] < SHARE]
            shuffle(order)
            for i in order:
                turns[i] += 1
                for _ in range(2 if used[i] < FAST * turns[i] else 1):
                    seconds = seconds_of(actions[i], clock, calls[i])
                    taken[i].append(seconds)
                    used[i] += calls[i] * seconds
    finally:
        gc.enable()
    return [Times(min(times), statistics.median(times), len(times)) for times in taken]


def seconds_of(action: Action, clock: Callable[[], float], calls: int = 1) -> float:
    """The time of one call, without freeing the last result."""
    start = clock()
    for _ in range(calls - 1):
        action()
    result = action()
    seconds = clock() - start
    del result
    return seconds / calls


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooLong in the block after the time limit, if the system supports it."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # repeated each second, since callbacks may swallow one
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
