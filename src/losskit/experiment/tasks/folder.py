"""The user's own images and masks, paired by file name, checked before any training."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.io import imread
from torch.nn import functional as F

from losskit.experiment.tasks.task import DICE, FALSE_ALARMS, VOID, Data, InputError, Split, Task

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy")
LONGEST = 256  # pixels; larger images are scaled down to this
FEWEST = 5  # pairs that can be split into three parts
MOST_CLASSES = 64
NAMED = 5  # files that one message names

Array = NDArray[Any]


@dataclass(frozen=True)
class Folder(Task):
    images: tuple[Array, ...] = ()  # (H, W, channels), float32
    masks: tuple[Array, ...] = ()  # (H, W), int64 class indices or VOID
    classes: int = 1

    def data(self, seed: int) -> Data:
        """60 % of the pairs to train on, 20 % for validation and 20 % for the test, drawn anew for each seed."""
        order = np.random.default_rng(seed).permutation(len(self.images))
        held = max(1, round(len(order) / 5))
        parts = {"test": order[:held], "validation": order[held : 2 * held], "train": order[2 * held :]}
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
        return Data(**splits, classes=self.classes)

    def target(self, mask: Array) -> torch.Tensor:
        truth = torch.from_numpy(mask)
        return truth.float()[None] if self.classes == 1 else truth


def folder_task(images: Path, masks: Path) -> Folder:
    """Read and check every pair; whatever is wrong is said at once, by file name."""
    pairs, notes = find_pairs(images, masks)
    pictures, labels = read_pairs(pairs)
    labels, classes, said = map_values(labels)
    notes += said
    longest = max(max(picture.shape[:2]) for picture in pictures)
    if longest > LONGEST:
        notes.append(f"Images larger than {LONGEST} pixels were scaled down to that; scores are of the scaled masks.")
        pictures = [shrink(picture, is_mask=False) for picture in pictures]
        labels = [shrink(label, is_mask=True) for label in labels]
    channels = max(picture.shape[-1] for picture in pictures)
    pictures = [np.broadcast_to(picture, (*picture.shape[:2], channels)).astype(np.float32) for picture in pictures]
    kind = "Binary segmentation" if classes == 1 else f"Segmentation into {classes} classes"
    return Folder(
        name="images",
        about=f"{kind} of {len(pictures)} images in {images} with masks in {masks}. Each seed splits them differently: "
        "60 % to train on, 20 % for validation, 20 % for the test.",
        metrics=(DICE, FALSE_ALARMS),
        losses=("dice", "bce", "dice + bce", "focal(gamma=2)") if classes == 1 else ("dice", "ce", "dice + ce"),
        epochs=max(10, -(-2400 // len(pictures))),  # some 300 steps, and each image at least ten times
        batch_size=8,
        learning_rate=3e-3,
        arguments=("--images", str(images), "--masks", str(masks)),
        notes=tuple(notes),
        images=tuple(pictures),
        masks=tuple(labels),
        classes=classes,
    )


def find_pairs(images: Path, masks: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    image_files, mask_files = by_stem("--images", images), by_stem("--masks", masks)
    without = [image_files[stem].name for stem in image_files.keys() - mask_files.keys()]
    if without:
        raise InputError(
            f"{len(without)} of {len(image_files)} images have no mask of the same name in {masks}: {listed(without)}. "
            "Add the masks (an all-zero one where there is nothing to find) or move these images away."
        )
    if len(image_files) < FEWEST:
        raise InputError(
            f"{images} has {len(image_files)} images with masks; training and testing need at least {FEWEST}."
        )
    unused = [mask_files[stem].name for stem in mask_files.keys() - image_files.keys()]
    notes = [f"{len(unused)} masks without an image were not used: {listed(unused)}."] if unused else []
    return [(image_files[stem], mask_files[stem]) for stem in sorted(image_files)], notes


def by_stem(option: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{option} {folder} is no folder. Give the folder that holds the files.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"{option} {folder} holds no file that ends in {', '.join(SUFFIXES)}.")
    for first, second in pairwise(sorted(files, key=lambda path: path.stem)):
        if first.stem == second.stem:
            raise InputError(f"{option} {folder} has {first.name} and {second.name}; keep one file of each name.")
    return {path.stem: path for path in files}


def read_pairs(pairs: list[tuple[Path, Path]]) -> tuple[list[Array], list[Array]]:
    pictures, labels, problems = [], [], []
    for image_path, mask_path in pairs:
        try:
            picture = as_picture(read(image_path, is_mask=False), image_path)
            label = as_labels(read(mask_path, is_mask=True), mask_path)
            if picture.shape[:2] != label.shape:
                sizes = [" x ".join(map(str, shape)) for shape in (picture.shape[1::-1], label.shape[::-1])]
                raise InputError(f"{image_path.name} is {sizes[0]} pixels, its mask {mask_path.name} is {sizes[1]}")
        except InputError as error:
            problems.append(str(error))
        else:
            pictures.append(picture)
            labels.append(label)
    if problems:
        raise InputError(
            f"{len(problems)} of {len(pairs)} pairs cannot be used: {listed(problems, '; ')}. Nothing was trained."
        )
    return pictures, labels


def read(path: Path, *, is_mask: bool) -> Array:
    try:
        if path.suffix.lower() == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        if path.suffix.lower() in (".tif", ".tiff"):
            return np.asarray(imread(path))
        with Image.open(path) as picture:
            flat = picture.mode in ("P", "CMYK") and not is_mask  # a mask's palette indices are its classes
            return np.asarray(picture.convert("RGB") if flat else picture)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(f"{path.name} cannot be read ({error})") from error


def as_picture(pixels: Array, path: Path) -> Array:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] > 4:
        raise InputError(f"{path.name} has shape {pixels.shape}; an image is (H, W) or (H, W, up to 4 channels)")
    if path.suffix.lower() != ".npy" and pixels.shape[-1] in (2, 4):
        pixels = pixels[..., :-1]  # transparency
    highest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    numbers = (pixels / highest).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path.name} holds NaN or infinite values")
    return numbers


def as_labels(mask: Array, path: Path) -> Array:
    if mask.ndim == 3:
        colours = mask[..., : -1 if mask.shape[-1] in (2, 4) else None]
        if (colours != colours[..., :1]).any():
            raise InputError(f"{path.name} is a colour picture; a mask holds one number a pixel, its class")
        mask = colours[..., 0]
    if mask.ndim != 2 or (mask.dtype.kind == "f" and (mask != np.round(mask)).any()):
        raise InputError(f"{path.name} is no mask of class numbers (shape {mask.shape}, {mask.dtype})")
    if path.suffix.lower() in (".jpg", ".jpeg"):
        if ((mask > 48) & (mask < 207)).mean() > 0.05:
            raise InputError(f"{path.name} is a JPEG whose values are not near 0 and 255; save masks as PNG")
        return np.where(mask > 127, 255, 0).astype(np.int64)
    return mask.astype(np.int64)


def map_values(masks: list[Array]) -> tuple[list[Array], int, list[str]]:
    """Masks as class indices, the channels of logits they need, and what was decided."""
    values = sorted({int(value) for mask in masks for value in np.unique(mask)})
    if len(values) < 2:
        raise InputError(f"All masks hold nothing but {values[0]}; there is no second class to learn.")
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"The masks hold {len(values)} different values ({values[0]} to {values[-1]}); up to {MOST_CLASSES} "
            "classes are compared. Were they resized smoothly, or saved as JPEG?"
        )
    void = [255] if values[-1] == 255 and len(values) > 2 and values[:-1] == list(range(len(values) - 1)) else []
    known = [value for value in values if value not in void]
    notes = list(said_of(known, void))
    table = {value: index for index, value in enumerate(known)} | dict.fromkeys(void, VOID)
    lookup = np.array([table[value] for value in values], dtype=np.int64)
    mapped = [lookup[np.searchsorted(values, mask)] for mask in masks]
    return mapped, 1 if len(known) == 2 else len(known), notes


def said_of(known: list[int], void: list[int]) -> Iterator[str]:
    if known == [0, 255]:
        yield "The masks hold 0 and 255: 0 was taken as background and 255 as foreground."
    elif known != list(range(len(known))):
        pairs = ", ".join(f"{value} is class {index}" for index, value in enumerate(known))
        yield f"The values of the masks were taken as classes in order: {pairs}."
    if void:
        yield "255 in the masks was taken as unknown: those pixels neither train nor count."


def shrink(pixels: Array, *, is_mask: bool) -> Array:
    scale = LONGEST / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    shape = tuple(max(1, round(side * scale)) for side in pixels.shape[:2])
    planes = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).double().movedim(-1, 0)[None]
    mode = {"mode": "nearest-exact"} if is_mask else {"mode": "bilinear", "antialias": True}
    smaller = F.interpolate(planes, shape, **mode)[0].movedim(0, -1).numpy()
    return np.asarray(smaller.reshape(*shape, *pixels.shape[2:]), dtype=pixels.dtype)


def listed(names: list[str], separator: str = ", ") -> str:
    shown = separator.join(sorted(names)[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
