"""results.jsonl: one line a run, written when the run ends, so that a second start does only what is missing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Results:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.jsonl"
        self.aside = folder / "results-old.jsonl"

    def read(self) -> list[Record]:
        """Every whole line; one that a killed process left half written is dropped."""
        if not self.path.exists():
            return []
        records = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return records

    def append(self, record: Record) -> None:
        append_line(self.path, record)

    def keep(self, wanted: Callable[[Record], bool]) -> list[Record]:
        """Keep the runs that are wanted and move the others to results-old.jsonl; returns those moved.

        Failed runs are dropped, to be tried again.
        """
        finished = [record for record in self.read() if "failure" not in record]
        kept = [record for record in finished if wanted(record)]
        moved = [record for record in finished if not wanted(record)]
        for record in moved:
            append_line(self.aside, record)
        if self.path.exists():
            draft = self.path.with_suffix(".tmp")
            draft.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")
            draft.replace(self.path)
        return moved


def append_line(path: Path, record: Record) -> None:
    """In one write to the end of the file, on disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (json.dumps(record) + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
