"""A lock on a folder: one comparison at a time writes to it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from losskit.experiment.tasks.task import InputError

NAME = "lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Hold the lock until the block, or this process, ends; the system releases it in any case."""
    with (folder / NAME).open("a+", encoding="utf-8") as file:
        try:
            take(file.fileno())
        except OSError as error:
            file.seek(0)
            by = file.read().strip()
            raise InputError(
                f"Another comparison{f' (process {by})' if by else ''} is writing to {folder}. Wait until it is done, "
                "or pass another folder as --out."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield folder


if sys.platform == "win32":
    import msvcrt

    def take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the content that others read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
