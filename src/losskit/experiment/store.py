"""One file per run, named after everything that determines its numbers: a restart runs only what is missing."""

import functools
import hashlib
import importlib.util
import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from losskit.experiment.results import Record

READABLE = ("task", "torch")  # settings that are not digests


class Store:
    """The finished runs of a folder. A damaged file is set aside, and its run is repeated."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.folder = folder / "runs"
        for each in (self.folder, folder / "examples", folder / "weights"):
            each.mkdir(parents=True, exist_ok=True)

    def path(self, settings: dict[str, Any]) -> Path:
        text = json.dumps(settings, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"

    def find(self, settings: dict[str, Any]) -> Record | None:
        """The finished run with these settings. A failed run is tried again."""
        record = read(self.path(settings))
        if record is None or "failure" in record:
            return None
        example = record.get("examples")
        return record if example is None or whole(self.root / example) else None

    def keep(self, record: Record) -> None:
        write(self.path(record["settings"]), json.dumps(record))

    def repair(self) -> list[str]:
        """Set aside unreadable files, and return their names."""
        found = [*self.folder.glob("*.json"), *(self.root / "examples").glob("*.npz")]
        return [path.name for path in sorted(found) if not sound(path) and set_aside(path)]

    def survey(self, shared: Mapping[str, dict[str, Any]], common: dict[str, Any]) -> tuple[int, int, str]:
        """For the finished runs of these losses: how many share the settings, how many do not, and what differs."""
        changed: dict[str, str] = {}
        same = other = 0
        for path in sorted(self.folder.glob("*.json")):
            record = read(path)
            if record is None or "failure" in record or record["loss"] not in shared or record["role"] == "picture":
                continue
            was, now = record["settings"], shared[record["loss"]] | common
            different = {name: (was.get(name), value) for name, value in now.items() if was.get(name) != value}
            same, other = same + (not different), other + bool(different)
            for name, (before, after) in different.items():
                changed[name] = f"{name} was {before}, now {after}" if name in READABLE else f"{name} changed"
        return same, other, ", ".join(changed.values())


def read(path: Path) -> Record | None:
    """The record in a file; None if the file is missing or not a record."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    known = isinstance(record, dict) and isinstance(record.get("settings"), dict)
    return record if known and {"loss", "block", "rate", "role"} <= record.keys() else None


def whole(path: Path) -> bool:
    """Whether a file of arrays can be read to its end."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            for name in saved.files:
                saved[name]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, MemoryError):
        return False
    return True


def sound(path: Path) -> bool:
    return whole(path) if path.suffix == ".npz" else read(path) is not None


def set_aside(path: Path) -> bool:
    """Rename to a name that nothing reads."""
    path.replace(path.with_name(f"{path.name}.damaged"))
    return True


def write(path: Path, text: str) -> None:
    """Write atomically, on disk when this returns; after an error no draft is left."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


LOSS_PARTS = ("core", "losses", "ops", "compose", "building")
RUN_FILES = (
    "training.py",
    "process.py",
    "models.py",
    "decisions.py",
    "scores.py",
    "gradients.py",
    "metrics.py",
    "task.py",
)


@functools.cache
def code_digest() -> str:
    """Changes if the numbers of a run do: covers the code of losses, training and scoring, but not of the report."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        first = path.relative_to(package).parts[0]
        python = path.suffix == ".py" and (first in LOSS_PARTS or (first == "experiment" and path.name in RUN_FILES))
        if python or path.suffix in (".so", ".pyd"):  # compiled kernels
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def source_digest(text: str) -> str:
    """Changes if a file or module that the text refers to, such as my_losses.py:my_dice, does."""
    digest = hashlib.sha256()
    for place in re.findall(r"""([^\s"'(),*+=]+?)["']?:[A-Za-z_]""", text):
        path = Path(place).expanduser() if place.endswith(".py") else module_file(place)
        if path is not None and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def module_file(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin) if found is not None and found.has_location and found.origin else None


def library() -> dict[str, str]:
    return {"losskit": code_digest(), "torch": torch.__version__}
