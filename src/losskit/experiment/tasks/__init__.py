"""The data on which losses are compared."""

from dataclasses import dataclass
from pathlib import Path

from losskit.experiment.tasks.task import InputError, Task

NAMES = ("scenes", "scenes-3d", "digits-noisy", "digits-longtail", "diabetes-outliers")


@dataclass(frozen=True)
class Request:
    """The user's description of the data; every field is optional."""

    name: str | None = None
    images: Path | None = None
    masks: Path | None = None
    csv: Path | None = None
    target: str | None = None  # column of the table to predict
    groups: str | None = None  # column of the table, or regular expression for the names of images
    test: Path | None = None  # separate test data: a folder with images/ and masks/, or a table
    foreground: float | None = None
    empty: float | None = None
    classes: int | None = None
    size: int | None = None  # longest side of an image, in pixels


def make_task(request: Request | str | None = None) -> Task:
    """A task by name, or from the user's own data."""
    if not isinstance(request, Request):
        request = Request(request)
    forbid(request)
    # Each task imports extras, scikit-learn or scikit-image, so it is imported only when it is needed.
    if request.images is not None and request.masks is not None:
        from losskit.experiment.tasks.folder import folder_task

        return folder_task(request.images, request.masks, request.groups, request.test, request.size)
    if request.csv is not None and request.target is not None:
        from losskit.experiment.tasks.table import table_task

        return table_task(request.csv, request.target, request.groups, request.test)
    name = request.name or NAMES[0]
    if name in ("scenes", "scenes-3d"):
        from losskit.experiment.tasks.scenes import scenes

        return scenes(
            volumes=name == "scenes-3d",
            foreground=request.foreground,
            empty=request.empty,
            classes=request.classes,
        )
    if name == "diabetes-outliers":
        from losskit.experiment.tasks.diabetes import DiabetesOutliers

        return DiabetesOutliers()
    from losskit.experiment.tasks.digits import LongTailDigits, NoisyDigits

    return NoisyDigits() if name == "digits-noisy" else LongTailDigits()


def forbid(request: Request) -> None:
    """Raise for options that exclude each other, or that need another one."""
    if request.name is not None and request.name not in NAMES:
        names = f"{', '.join(NAMES[:-1])} or {NAMES[-1]}"
        raise InputError(
            f"There is no task {request.name!r}; choose {names}, or give your own data with --images DIR --masks DIR "
            "or --csv FILE --target COLUMN."
        )
    options = {"--images": request.images, "--csv": request.csv, f"--task {request.name}": request.name}
    own = [option for option, value in options.items() if value is not None]
    if len(own) > 1:
        raise InputError(f"{own[-1]} and {own[0]} both say what to train on; give one of them.")
    needs = {
        "--images": (request.images, "--masks", request.masks, "one folder of images, one of masks, with equal names"),
        "--csv": (request.csv, "--target", request.target, "the column of the table to predict"),
    }
    for first, (one, second, other, why) in needs.items():
        if (one is None) != (other is None):
            given, missing = (first, second) if other is None else (second, first)
            raise InputError(f"{given} needs {missing} as well: {why}.")
    for option in ("groups", "test"):
        if getattr(request, option) is not None and request.images is None and request.csv is None:
            raise InputError(f"--{option} is for your own data: give --images DIR --masks DIR or --csv FILE as well.")
    if request.size is not None and request.images is None:
        raise InputError("--size is for your own images: give --images DIR --masks DIR as well.")
    for option in ("foreground", "empty", "classes"):
        if getattr(request, option) is not None and (own and request.name not in ("scenes", "scenes-3d")):
            raise InputError(f"--{option} is an option of the tasks scenes and scenes-3d.")
