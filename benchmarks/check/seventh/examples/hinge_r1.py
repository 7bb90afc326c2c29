import torch
import torch.nn as nn


def make_example():
    torch.manual_seed(0)
    disc = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.Softplus(), nn.Flatten(), nn.Linear(8 * 8 * 8, 1))
    return disc, torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16)
