"""The user's own images and masks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from losskit.experiment.tasks.files import Array, find_pairs, listed, read_pairs, stem_of
from losskit.experiment.tasks.splits import held_out, split_groups
from losskit.experiment.tasks.task import CLEAN, DICE, VOID, Data, InputError, Split, Task

LONGEST = {2: 128, 3: 48}  # default longest side of images and volumes in pixels; larger ones are scaled down
ITEMS = {2: 2000, 3: 600}  # minimum items of a run: some hundred steps
FEWEST = 5  # minimum pairs for a split into three parts
MOST_CLASSES = 64


@dataclass(frozen=True)
class Folder(Task):
    images: tuple[Array, ...] = ()  # ([D,] H, W, channels), float32
    masks: tuple[Array, ...] = ()  # ([D,] H, W), int64 class indices or VOID
    keys: tuple[str, ...] = ()  # group of each; those after the first `own` are the test
    own: int = 0
    classes: int = 1

    def data(self, seed: int) -> Data:
        """60 % of the groups for training, 20 % for validation and 20 % for the test, drawn anew for each seed."""
        parts = split_groups(self.keys[: self.own], seed, test=self.own == len(self.keys))
        parts.setdefault("test", np.arange(self.own, len(self.keys)))
        pixels = np.concatenate([self.images[i].reshape(-1, self.images[i].shape[-1]) for i in parts["train"]])
        mean, spread = pixels.mean(0), pixels.std(0) + 1e-6
        splits = {
            name: Split(
                inputs=[
                    torch.from_numpy((self.images[i] - mean) / spread).movedim(-1, 0).contiguous() for i in indices
                ],
                targets=[self.target(self.masks[i]) for i in indices],
            )
            for name, indices in parts.items()
        }
        return Data.of(splits, self.classes)

    def target(self, mask: Array) -> torch.Tensor:
        truth = torch.from_numpy(mask)
        if self.classes > 1:
            return truth
        return truth.float()[None]


def folder_task(
    images: Path, masks: Path, groups: str | None = None, test: Path | None = None, size: int | None = None
) -> Folder:
    """Read and check every pair; all errors are reported at once, by file name."""
    pairs, notes = find_pairs(images, masks)
    own = len(pairs)
    if own < FEWEST:
        raise InputError(f"{images} has {own} images with masks; training and testing need at least {FEWEST}.")
    if test is not None:
        apart, said = find_pairs(test / "images", test / "masks", ("--test", "--test"))
        pairs, notes = pairs + apart, notes + said
    pictures, labels = read_pairs(pairs)
    keys = keys_of([stem_of(image) for image, _ in pairs], groups, own)
    labels, classes, said = map_values(labels)
    notes += said
    volumes = labels[0].ndim == 3
    longest = size or LONGEST[labels[0].ndim]
    if max(max(label.shape) for label in labels) > longest:
        what = "Volumes larger than {} voxels" if volumes else "Images larger than {} pixels"
        notes.append(
            f"{what.format(longest)} were scaled down to that (--size changes it); scores are of the scaled masks."
        )
        pictures = [shrink(picture, longest, is_mask=False) for picture in pictures]
        labels = [shrink(label, longest, is_mask=True) for label in labels]
    channels = max(picture.shape[-1] for picture in pictures)
    pictures = [np.broadcast_to(picture, (*picture.shape[:-1], channels)).astype(np.float32) for picture in pictures]
    epochs = max(5, -(-ITEMS[labels[0].ndim] // own))
    notes.append(f"Each run trains {epochs} epochs, chosen by the number of items (--epochs changes it).")
    independent, where = held_out(keys, own, "image" if groups is None else "group")
    kind = "Binary segmentation" if classes == 1 else f"Segmentation into {classes} classes"
    binary = ("dice", "bce", "dice + bce", "focal(gamma=2)")
    return Folder(
        name="images",
        about=f"{kind} of {own} {'volumes' if volumes else 'images'} in {images} with masks in {masks}. {where}",
        metrics=(DICE,),
        apart=CLEAN if any(not (label > 0).any() for label in labels) else None,
        is_users=True,
        losses=binary if classes == 1 else ("dice", "ce", "dice + ce", "focal(gamma=2)"),
        epochs=epochs,
        batch_size=2 if volumes else 8,
        learning_rate=3e-3,
        baseline="bce" if classes == 1 else "ce",
        arguments=(
            *("--images", str(images), "--masks", str(masks)),
            *(() if groups is None else ("--groups", groups)),
            *(() if test is None else ("--test", str(test))),
            *(() if size is None else ("--size", str(size))),
        ),
        notes=tuple(notes),
        groups=independent,
        images=tuple(pictures),
        masks=tuple(labels),
        keys=keys,
        own=own,
        classes=classes,
    )


def keys_of(names: list[str], groups: str | None, own: int) -> tuple[str, ...]:
    """The group of each image: the match of the expression in its name, or the image itself."""
    if groups is None:
        return tuple(f"{name}/{index < own}" for index, name in enumerate(names))
    try:
        found = [re.search(groups, name) for name in names]
    except re.error as error:
        raise InputError(f"--groups {groups!r} is not a regular expression ({error}).") from error
    without = [name for name, match in zip(names, found, strict=True) if match is None]
    if without:
        raise InputError(
            f"--groups {groups!r} matches nothing in {len(without)} of {len(names)} names: {listed(without)}. "
            "Give an expression that matches the group of the image in every name, as in 'patient(\\d+)'."
        )
    return tuple(match[1] if match.re.groups else match[0] for match in found if match is not None)


def map_values(masks: list[Array]) -> tuple[list[Array], int, list[str]]:
    """Masks as class indices, the channels of logits they need, and notes on how they were read."""
    values = sorted({int(value) for mask in masks for value in np.unique(mask)})
    if len(values) < 2:
        raise InputError(f"All masks contain only {values[0]}; there is no second class to learn.")
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"The masks contain {len(values)} different values ({values[0]} to {values[-1]}); up to {MOST_CLASSES} "
            "classes are compared. Were they resized smoothly, or saved as JPEG?"
        )
    void = [255] if values[-1] == 255 and len(values) > 2 and values[:-1] == list(range(len(values) - 1)) else []
    known = [value for value in values if value not in void]
    notes = list(notes_on(known, void))
    table = {value: index for index, value in enumerate(known)} | dict.fromkeys(void, VOID)
    lookup = np.array([table[value] for value in values], dtype=np.int64)
    mapped = [lookup[np.searchsorted(values, mask)] for mask in masks]
    return mapped, 1 if len(known) == 2 else len(known), notes


def notes_on(known: list[int], void: list[int]) -> Iterator[str]:
    if known == [0, 255]:
        yield "The masks contain 0 and 255: 0 is read as background and 255 as foreground."
    elif known != list(range(len(known))):
        pairs = ", ".join(f"{value} is class {index}" for index, value in enumerate(known))
        yield f"The values of the masks are read as classes in order: {pairs}."
    if void:
        yield "255 in the masks is read as unknown: these pixels are ignored in training and scores."


def shrink(pixels: Array, longest: int, *, is_mask: bool) -> Array:
    """A mask, ([D,] H, W), or an image with channels last."""
    space = pixels.shape if is_mask else pixels.shape[:-1]
    scale = longest / max(space)
    if scale >= 1:
        return pixels
    shape = tuple(max(1, round(side * scale)) for side in space)
    planes = torch.from_numpy(pixels.reshape(*space, -1)).double().movedim(-1, 0)[None]
    smooth = {"mode": "bilinear", "antialias": True} if len(space) == 2 else {"mode": "area"}
    smaller = F.interpolate(planes, shape, **({"mode": "nearest-exact"} if is_mask else smooth))
    return np.asarray(smaller[0].movedim(0, -1).numpy().reshape(*shape, *pixels.shape[len(space) :]), pixels.dtype)
