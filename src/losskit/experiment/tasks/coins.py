"""Coins on a dark table: one photograph, shown only. Every loss finds the coins, so they rank nothing."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data as images
from skimage.filters import sobel
from skimage.segmentation import watershed

from losskit.experiment.tasks.task import DICE, PARTS, Data, Metric, Split, Task

DARK, BRIGHT = 30, 150  # grey values that are certainly table and certainly coin
SMALLEST = 64  # pixels; smaller regions are no coins
PATCH, PATCHES = 64, {"train": 48, "validation": 8}  # the test is the whole row

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Coins(Task):
    name: str = "coins"
    about: str = (
        "A photograph of four rows of coins: two rows to train on, one for validation, and one for the test. "
        "The truth is a watershed of its edges. Coins are easy, so this is shown only and ranks nothing."
    )
    metrics: tuple[Metric, ...] = (DICE,)
    losses: tuple[str, ...] = ("bce",)
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 3e-3

    def data(self, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        photograph: Picture = images.coins()  # type: ignore[no-untyped-call]
        truth = outlines(photograph)
        pixels = (photograph / 255 - 0.4) / 0.25
        splits = {}
        for part, (top, bottom) in zip(PARTS, rows_of(truth), strict=True):
            patches = list(self.patches(rng, part, pixels[top:bottom], truth[top:bottom]))
            splits[part] = Split(
                inputs=[torch.from_numpy(image.copy()).float()[None] for image, _ in patches],
                targets=[torch.from_numpy(mask.copy()).float()[None] for _, mask in patches],
            )
        return Data.of(splits, classes=1)

    def patches(
        self, rng: np.random.Generator, part: str, pixels: NDArray[np.float64], truth: NDArray[np.bool_]
    ) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        if part not in PATCHES:
            return [(pixels, truth)]
        height, width = min(PATCH, pixels.shape[0]), PATCH
        corners = [
            (rng.integers(pixels.shape[0] - height + 1), rng.integers(pixels.shape[1] - width + 1))
            for _ in range(PATCHES[part])
        ]
        windows = [np.s_[y : y + height, x : x + width] for y, x in corners]
        return [(pixels[window], truth[window]) for window in windows]


def outlines(photograph: Picture) -> NDArray[np.bool_]:
    """Watershed of the edges from certain coin and certain table."""
    markers = np.select([photograph < DARK, photograph > BRIGHT], [1, 2])
    flooded = watershed(sobel(photograph), markers)  # type: ignore[no-untyped-call]
    found = ndimage.binary_fill_holes(flooded == 2)
    numbered, _ = ndimage.label(found)
    sizes = np.bincount(numbered.ravel())
    return np.asarray(found & (sizes[numbered] >= SMALLEST))


def rows_of(truth: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Two rows of coins, one and one, cut where the fewest pixels are coin."""
    covered = truth.sum(1)
    quarter = len(truth) / 4
    cuts = [
        round(n * quarter) - 20 + int(covered[round(n * quarter) - 20 : round(n * quarter) + 20].argmin())
        for n in (2, 3)
    ]
    return [(0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], len(truth))]
