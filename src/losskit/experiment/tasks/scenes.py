"""Handwritten digits on textures: segmentation of real images with exact truth, hard enough to separate losses."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data as images
from sklearn.datasets import load_digits
from torch.nn import functional as F

from losskit.experiment.tasks.coins import Coins
from losskit.experiment.tasks.task import CLEAN, DICE, Data, InputError, Split, Task

TEXTURES = ("grass", "gravel", "brick")
COLUMNS = {"train": (0, 256), "validation": (256, 352), "test": (352, 512)}  # of the 512 x 512 textures
CONTRASTS = (0.3, 0.6)  # added to grey values in [0, 1]; the standard deviation of the textures is 0.13
LARGEST, SMALLEST = 20, 5  # pixels per side of a digit
INK = 0.29  # share of a digit's square that is foreground
SPECK = 25  # pixels; no further digit is drawn for fewer
MOST_CLASSES = 11
FOREGROUND, EMPTY = 0.06, 1 / 3

Image = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Scenes(Task):
    """As drawn by `scenes`."""

    shape: tuple[int, ...] = (32, 32)  # (H, W) or (D, H, W)
    counts: tuple[int, int, int] = (160, 200, 600)
    foreground: float = FOREGROUND
    empty: float = EMPTY
    classes: int = 1

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        source = load_digits()
        known = source.target < max(10 if self.classes == 1 else self.classes - 1, 1)
        digits, labels = source.images[known] / 16, source.target[known] + 1
        pools = np.array_split(rng.permutation(len(digits)), len(COLUMNS))
        textures = [getattr(images, name)() / 255 for name in TEXTURES]
        splits = {}
        for (part, (left, right)), pool, count in zip(COLUMNS.items(), pools, self.counts, strict=True):
            regions = [texture[:, left:right] for texture in textures]
            drawn = list(self.draw(rng, count, regions, digits[pool], labels[pool]))
            splits[part] = Split(
                inputs=[torch.from_numpy((image - 0.5) / 0.25).float()[None] for image, _ in drawn],
                targets=[self.target(truth) for _, truth in drawn],
            )
        return Data.of(splits, self.classes)

    def target(self, truth: Labels) -> torch.Tensor:
        labels = torch.from_numpy(truth)
        return (labels > 0).float()[None] if self.classes == 1 else labels

    def draw(
        self, rng: np.random.Generator, count: int, regions: list[Image], digits: Image, labels: Labels
    ) -> Iterator[tuple[Image, Labels]]:
        empty = rng.permutation(count) < round(count * self.empty)
        for index in range(count):
            image = background(rng, regions[index % len(regions)], self.shape)
            truth = np.zeros(self.shape, dtype=np.int64)
            wanted = 0 if empty[index] else rng.uniform(0.5, 1.5) * self.foreground * truth.size
            while (missing := wanted - np.count_nonzero(truth)) > (SPECK ** (truth.ndim / 2) if truth.any() else 0):
                stamp = np.clip(round((missing / INK) ** (1 / truth.ndim)), SMALLEST, LARGEST - rng.integers(8))
                which = rng.integers(len(digits))
                digit = enlarge(digits[which], (int(min(stamp, *self.shape)),) * truth.ndim)
                window = tuple(
                    slice(start, start + side)
                    for side, extent in zip(digit.shape, self.shape, strict=True)
                    for start in (rng.integers(extent - side + 1),)
                )
                image[window] += rng.uniform(*CONTRASTS) * digit
                truth[window] = np.where(digit > 0.5, labels[which], truth[window])
            yield image.clip(0, 1), truth


def background(rng: np.random.Generator, region: Image, shape: tuple[int, ...]) -> Image:
    """A window of a photograph; for a volume a stack of windows, each shifted by one pixel."""
    depth, (height, width) = math.prod(shape[:-2]), shape[-2:]
    top, left = (
        rng.integers(extent - side - depth + 2) for extent, side in zip(region.shape, (height, width), strict=True)
    )
    slices = [region[top + z : top + z + height, left + z : left + z + width] for z in range(depth)]
    return np.stack(slices).reshape(shape)


def enlarge(digit: Image, shape: tuple[int, ...]) -> Image:
    """The digit at this size; in a volume it is as deep as it is wide, and fades towards both ends."""
    pixels = torch.from_numpy(digit)[None, None]
    flat = np.asarray(F.interpolate(pixels, shape[-2:], mode="bilinear")[0, 0])
    if len(shape) == 2:
        return flat
    depths = np.linspace(-1, 1, shape[0] + 2)[1:-1, None, None]
    return flat * np.sqrt(1 - depths**2)


def scenes(
    *, volumes: bool = False, foreground: float | None = None, empty: float | None = None, classes: int | None = None
) -> Scenes:
    """The task with these shares of foreground and of empty images, and this number of classes."""
    arguments = ["--task", "scenes-3d" if volumes else "scenes"]
    for name, value in {"foreground": foreground, "empty": empty, "classes": classes}.items():
        arguments += [] if value is None else [f"--{name}", f"{value:g}"]
    foreground = FOREGROUND if foreground is None else foreground
    empty = EMPTY if empty is None else empty
    classes = 1 if classes is None else classes
    least = 0.005 if volumes else 0.01  # the least share for which a digit of five pixels per side can be drawn
    if not least <= foreground <= 0.4:
        raise InputError(f"--foreground is the share of foreground pixels, from {least:g} to 0.4; got {foreground:g}.")
    if not 0 <= empty <= 0.9:
        raise InputError(f"--empty is the share of images without foreground, from 0 to 0.9; got {empty:g}.")
    if not 1 <= classes <= MOST_CLASSES:
        raise InputError(f"--classes is from 1 to {MOST_CLASSES} (background and ten digits); got {classes}.")
    shape, counts = ((16, 32, 32), (48, 16, 32)) if volumes else ((32, 32), (160, 200, 600))
    what = {1: "handwritten digits", 2: "a handwritten 0"}.get(
        classes, f"handwritten digits from 0 to {classes - 2}, each a class of its own,"
    )
    things = "volumes" if volumes else "images"
    ground = "stacked photographs" if volumes else "photographs"
    return Scenes(
        name=arguments[1],
        about=f"{'Binary segmentation' if classes == 1 else f'Segmentation into {classes} classes'} of {what} on "
        f"{ground} of grass, gravel and brick, {' x '.join(map(str, shape))} {'voxels' if volumes else 'pixels'}: "
        f"{counts[0]} {things} for training, {counts[1]} for validation, {counts[2]} to test. {share(empty)} of them "
        f"have no digit; in the others, digits cover about {100 * foreground:.2g} % of the {things[:-1]}. "
        f"Each seed draws other {things}; the three parts share no digits and no regions of the photographs.",
        metrics=(DICE,),
        apart=CLEAN if empty else None,
        losses=("dice", "bce", "dice + bce", "focal(gamma=2)")
        if classes == 1
        else ("dice", "ce", "dice + ce", "focal(gamma=2)"),
        epochs=15,
        batch_size=4 if volumes else 8,
        learning_rate=3e-3,
        baseline="bce" if classes == 1 else "ce",
        arguments=tuple(arguments),
        picture=Coins() if classes == 1 and not volumes else None,
        shape=shape,
        counts=counts,
        foreground=foreground,
        empty=empty,
        classes=classes,
    )


def share(of: float) -> str:
    return "A third" if of == EMPTY else f"{of:.0%}"
