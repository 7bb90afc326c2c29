import torch
import torch.nn as nn
import torch.nn.functional as F


def _small_encoder():
    g = torch.Generator().manual_seed(0)
    layers = nn.ModuleList([nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)])
    with torch.no_grad():
        for conv in layers:
            conv.weight.copy_(torch.randn(conv.weight.shape, generator=g) * 0.2)
            conv.bias.zero_()
    return layers


class FeatureLoss(nn.Module):
    """L1 distance of the features of a frozen encoder, summed over its stages.

    Images (N, 3, H, W) in [0, 1]. The encoder gets no gradient, the prediction does.
    """

    def __init__(self, weights=(1.0, 0.5)):
        super().__init__()
        self.stages = _small_encoder().requires_grad_(False)
        self.weights = weights
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def features(self, x):
        x = (x - self.mean) / self.std
        out = []
        for stage in self.stages:
            x = F.silu(stage(x))
            out.append(x)
        return out

    def forward(self, pred, target):
        with torch.no_grad():
            wanted = self.features(target)
        return sum(w * F.l1_loss(a, b) for w, a, b in zip(self.weights, self.features(pred), wanted))
