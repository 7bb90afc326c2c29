"""The data that losses are compared on."""

from pathlib import Path

from losskit.experiment.tasks.task import InputError, Task

NAMES = ("scenes", "digits-noisy")


def make_task(name: str | None = None, images: Path | None = None, masks: Path | None = None) -> Task:
    """A task by its name, or the user's own images and masks."""
    if images is not None or masks is not None:
        if images is None or masks is None:
            given, missing = ("--images", "--masks") if masks is None else ("--masks", "--images")
            raise InputError(
                f"{given} needs {missing} as well: one folder of images, one of masks with the same names."
            )
        if name is not None:
            raise InputError(f"--task {name} and --images both say what to train on; give one of them.")
        from losskit.experiment.tasks.folder import folder_task

        return folder_task(images, masks)
    if name in (None, "scenes"):
        from losskit.experiment.tasks.scenes import Scenes

        return Scenes()
    if name == "digits-noisy":
        from losskit.experiment.tasks.digits import NoisyDigits

        return NoisyDigits()
    raise InputError(f"There is no task {name!r}; choose {' or '.join(NAMES)}, or give --images DIR --masks DIR.")
