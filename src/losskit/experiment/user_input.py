"""The caller's request, validated before any training."""

import importlib.util
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from losskit.building.build import build, split
from losskit.building.references import Reference, load
from losskit.core.catalogue import find
from losskit.core.options import REQUIRED
from losskit.experiment.tasks import Request as Wanted
from losskit.experiment.tasks import make_task
from losskit.experiment.tasks.task import InputError, Task
from losskit.experiment.tuning import grid
from losskit.version import INSTALL_COMPARE

EXTRAS = ("cloudpickle", "jinja2", "joblib", "matplotlib", "PIL", "scipy", "skimage", "sklearn")


def require_extras() -> None:
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"losskit compare needs {', '.join(missing)}: {INSTALL_COMPARE}.")


def check_numbers(numbers: Mapping[str, float | None]) -> None:
    for name, value in numbers.items():
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise InputError(f"--{name.replace('_', '-')} must be a number above 0; got {value}.")


def check_rates(rates: Sequence[float]) -> tuple[float, ...]:
    """The rates in ascending order, without duplicates."""
    found = tuple(sorted(set(rates)))
    if not found or not all(math.isfinite(rate) and rate > 0 for rate in found):
        raise InputError(f"--rates must be learning rates above 0, separated by commas; got {list(rates)}.")
    return found


def make_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be created ({error.strerror}). Choose another folder.") from error
    return out


def find_task(task: str | Task | None, memory: Mapping[str, Any], wanted: Mapping[str, Any]) -> Task:
    """The task from memory, from the user's files, or a built-in one."""
    if memory["train"] is not None:
        if task is not None or wanted["images"] is not None or wanted["csv"] is not None:
            raise InputError("train= and a task or files both say what to train on; give one of them.")
        from losskit.experiment.tasks.memory import given_task  # imports scikit-learn, which is an extra

        return given_task(**memory, groups=wanted["groups"])
    if memory["validation"] is not None:
        raise InputError("validation= needs train= as well.")
    if memory["metric"] is not None:
        raise InputError("metric= is for your own data: give train= as well. Built-in tasks have their own metric.")
    if isinstance(task, Task):
        return task
    paths = {name: as_path(wanted[name]) for name in ("images", "masks", "csv")}
    return make_task(Wanted(name=task, **{**wanted, **paths, "test": as_path(memory["test"])}))


def as_path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def check_model(model: Any) -> None:
    """Check the text `my.py:make_model` or a function, so that a misspelt name is reported before any training."""
    if isinstance(model, str):
        place, colon, name = model.rpartition(":")
        if not colon:
            raise InputError(f"--model {model} is not written as file.py:function.")
        try:
            model = load(Reference(place, name))
        except ValueError as error:
            raise InputError(f"--model {model}: {error}") from error
    if model is not None and not callable(model):
        raise InputError(f"The model must be given as a function that makes it; got {type(model).__name__}.")


def read_losses(
    losses: str | Sequence[Any] | Mapping[str, Any],
    spelled: Mapping[str, str] | None = None,
    class_counts: Sequence[int] | None = None,
) -> tuple[list[str], dict[str, Any]]:
    """The name of each loss, and those given as objects. Each is built once, so that errors are reported early."""
    objects: dict[str, Any] = {}
    try:
        named = [
            (name, with_counts((spelled or {}).get(name, loss), class_counts)) for name, loss in named_losses(losses)
        ]
        if not named:
            raise InputError('There is no loss to compare; name at least one, as in --losses "dice, bce".')
    except ValueError as error:
        raise InputError(f"--losses {losses!r}: {error}") from error
    problems = []
    for name, loss in named:
        try:
            build(loss, references=True)
        except (TypeError, ValueError) as error:
            problems.append(f"{name!r}: {error}")
        if not (isinstance(loss, str) and loss == name):
            objects[name] = loss
    if problems:
        raise InputError("--losses " + "\n".join(problems))
    return list(dict.fromkeys(name for name, _ in named)), objects


def with_counts(loss: Any, class_counts: Sequence[int] | None) -> Any:
    """A loss given by its name alone, with the class counts of the task if it requires these and nothing else."""
    if class_counts is None or not isinstance(loss, str) or not loss.isidentifier():
        return loss
    try:
        options = find(loss).loss.options
    except ValueError:
        return loss  # which `build` reports
    required = [name for name, declared in options.items() if declared.default is REQUIRED]
    if len(required) != 1 or required[0] not in ("class_counts", "prior"):
        return loss
    return f"{loss}({required[0]}={list(class_counts)})"


def named_losses(losses: str | Sequence[Any] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    if isinstance(losses, Mapping):
        return [(str(name), loss) for name, loss in losses.items()]
    given = split(losses) if isinstance(losses, str) else list(losses)
    named = [(loss if isinstance(loss, str) else getattr(loss, "__name__", repr(loss)), loss) for loss in given]
    objects = [name for name, loss in named if not isinstance(loss, str)]
    twice = next((name for name in objects if [n for n, _ in named].count(name) > 1), None)
    if twice is not None:
        raise InputError(f'Two losses are called {twice}; name them: {{"first": ..., "second": ...}}.')
    return named


def command_of(
    task: Task,
    losses: Sequence[str],
    baseline: str | None,
    model: Any,
    epochs: int,
    batch: int,
    extent: Sequence[str],
    rates: Sequence[float] = (),
    margin: float | None = None,
) -> str:
    """The command that repeats the comparison; `extent` is its budget or number of blocks."""
    command = ["losskit", "compare", *task.arguments]
    command += ["--losses", ", ".join(losses)] if tuple(losses) != task.losses else []
    command += ["--baseline", baseline or "none"] if baseline != task.baseline else []
    command += ["--model", model] if isinstance(model, str) else []
    command += ["--rates", ", ".join(f"{rate:g}" for rate in rates)] if list(rates) != grid(task.learning_rate) else []
    command += ["--margin", f"{margin:g}"] if margin is not None else []
    command += ["--epochs", str(epochs)] if epochs != task.epochs else []
    command += ["--batch-size", str(batch)] if batch != task.batch_size else []
    return shlex.join([*command, *extent])
