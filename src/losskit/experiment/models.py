"""Two small models, normalised per sample so that no batch statistics interfere with a loss."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from losskit.experiment.tasks.task import Data


class UNet(nn.Module):
    """Three resolutions; any H and W, padded to a multiple of 4 and cropped back."""

    def __init__(self, channels: int, classes: int, width: int = 8) -> None:
        super().__init__()
        self.fine = convolutions(channels, width)
        self.middle = convolutions(width, 2 * width, 2 * width)
        self.coarse = convolutions(2 * width, 4 * width, 4 * width)
        self.up_middle = convolutions(6 * width, 2 * width, 2 * width)
        self.up_fine = convolutions(3 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        image = F.pad(image, (0, -width % 4, 0, -height % 4), mode="replicate")
        fine = self.fine(image.contiguous(memory_format=torch.channels_last))
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat([middle, F.interpolate(coarse, scale_factor=2)], dim=1))
        fine = self.up_fine(torch.cat([fine, F.interpolate(middle, scale_factor=2)], dim=1))
        logits: Tensor = self.head(fine)
        return logits[:, :, :height, :width].contiguous()


def convolutions(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(4, after), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


def make_model(data: Data) -> nn.Module:
    if data.is_segmentation:
        # channels last: 1.3 times as fast on one CPU core
        return UNet(data.channels, data.classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    pixels = data.test.inputs[0].numel()
    return nn.Sequential(
        nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, data.classes)
    )
