import torch
import torch.nn as nn
import torch.nn.functional as F


class PerceptualLoss(nn.Module):
    """L1 distance between features of a frozen network, plus a pixel term.

    `blocks` is a list of modules that are applied one after the other (for
    example slices of vgg16.features). Without it a small random network is
    used, which is enough for tests.
    """

    def __init__(self, blocks=None, weights=None, pixel_weight=1.0):
        super().__init__()
        if blocks is None:
            blocks = [
                nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
            ]
        self.blocks = nn.ModuleList(blocks)
        self.blocks.requires_grad_(False)
        self.blocks.eval()
        self.weights = weights if weights is not None else [1.0] * len(self.blocks)
        self.pixel_weight = pixel_weight
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def train(self, mode=True):
        super().train(mode)
        self.blocks.eval()
        return self

    def features(self, img):
        x = (img - self.mean) / self.std
        out = []
        for block in self.blocks:
            x = block(x)
            out.append(x)
        return out

    def forward(self, pred, target):
        f_pred = self.features(pred)
        with torch.no_grad():
            f_target = self.features(target)
        loss = self.pixel_weight * F.l1_loss(pred, target)
        for w, a, b in zip(self.weights, f_pred, f_target):
            loss = loss + w * F.l1_loss(a, b)
        return loss
