"""Handwritten digits on textures: segmentation of real images with exact truth, hard enough to separate losses."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data as images
from sklearn.datasets import load_digits
from torch.nn import functional as F

from losskit.experiment.tasks.task import DICE, FALSE_ALARMS, Data, Metric, Split, Task

TEXTURES = ("grass", "gravel", "brick")
SIZE = 48
COUNTS = {"train": 160, "validation": 40, "test": 100}
COLUMNS = {"train": (0, 256), "validation": (256, 352), "test": (352, 512)}  # of the 512 x 512 textures
DIGIT_SIZES = (12, 20)
CONTRASTS = (0.3, 0.6)  # added to grey values in [0, 1] of which the textures spread 0.13
EMPTY = 1 / 3  # share of images without a digit

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Scenes(Task):
    name: str = "scenes"
    about: str = (
        f"Binary segmentation of handwritten digits on photographs of grass, gravel and brick, {SIZE} x {SIZE} pixels, "
        f"{COUNTS['train']} images to train on and {COUNTS['test']} to test; a third of the images holds no digit. "
        "Each seed draws other images; digits and parts of the textures never occur both in training and in the test."
    )
    metrics: tuple[Metric, ...] = (DICE, FALSE_ALARMS)
    losses: tuple[str, ...] = ("dice", "bce", "dice + bce", "focal(gamma=2)", "mean_focal")
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 3e-3
    arguments: tuple[str, ...] = ("--task", "scenes")

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        digits = rng.permutation(load_digits().images / 16)
        pools = dict(zip(COUNTS, np.array_split(digits, len(COUNTS)), strict=True))
        textures = [getattr(images, name)() / 255 for name in TEXTURES]
        splits = {}
        for part, count in COUNTS.items():
            left, right = COLUMNS[part]
            regions = [texture[:, left:right] for texture in textures]
            scenes = list(draw_scenes(rng, count, regions, pools[part]))
            splits[part] = Split(
                inputs=[torch.from_numpy((image - 0.5) / 0.25).float()[None] for image, _ in scenes],
                targets=[torch.from_numpy(truth).float()[None] for _, truth in scenes],
            )
        return Data(**splits, classes=1)


def draw_scenes(
    rng: np.random.Generator, count: int, regions: list[Image], digits: Image
) -> Iterator[tuple[Image, NDArray[np.bool_]]]:
    empty = rng.permutation(count) < round(count * EMPTY)
    for index in range(count):
        region = regions[index % len(regions)]
        top, left = (rng.integers(extent - SIZE + 1) for extent in region.shape)
        image = region[top : top + SIZE, left : left + SIZE].copy()
        truth = np.zeros((SIZE, SIZE), dtype=bool)
        for _ in range(0 if empty[index] else rng.integers(1, 4)):
            size = rng.integers(*DIGIT_SIZES, endpoint=True)
            digit = enlarge(rng.choice(digits), int(size))
            y, x = rng.integers(SIZE - size + 1, size=2)
            window = np.s_[y : y + size, x : x + size]
            image[window] += rng.uniform(*CONTRASTS) * digit
            truth[window] |= digit > 0.5
        yield image.clip(0, 1), truth


def enlarge(digit: Image, size: int) -> Image:
    pixels = torch.from_numpy(digit)[None, None]
    return np.asarray(F.interpolate(pixels, (size, size), mode="bilinear")[0, 0])
