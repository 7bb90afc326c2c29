"""Handwritten digits on textures: segmentation of real images with exact truth, hard enough to separate losses."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data as images
from skimage.transform import resize
from sklearn.datasets import load_digits

from losskit.experiment.tasks.task import DICE, FALSE_ALARMS, Data, Split, Task

SIZE = 48
COUNTS = {"train": 80, "validation": 40, "test": 100}
COLUMNS = {"train": (0, 256), "validation": (256, 352), "test": (352, 512)}  # of the 512 x 512 textures
DIGIT_SIZES = (12, 20)
CONTRASTS = (0.3, 0.6)
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
    metrics: tuple = (DICE, FALSE_ALARMS)  # type: ignore[type-arg]
    losses: tuple[str, ...] = ("dice", "bce", "dice + bce", "focal(gamma=2)", "mean_focal")
    epochs: int = 30
    batch_size: int = 8
    learning_rate: float = 3e-3

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        digits = rng.permutation(load_digits().images / 16)
        pools = dict(zip(COUNTS, np.array_split(digits, len(COUNTS)), strict=True))
        textures = [texture() / 255 for texture in (images.grass, images.gravel, images.brick)]
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
            digit = resize(rng.choice(digits), (size, size), order=1)
            y, x = rng.integers(SIZE - size + 1, size=2)
            window = np.s_[y : y + size, x : x + size]
            image[window] += rng.uniform(*CONTRASTS) * digit
            truth[window] |= digit > 0.5
        yield image.clip(0, 1), truth
