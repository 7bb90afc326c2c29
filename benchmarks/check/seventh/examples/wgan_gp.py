import torch
import torch.nn as nn


def make_example():
    torch.manual_seed(0)
    critic = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8 * 8 * 8, 1))
    real = torch.randn(4, 3, 16, 16)
    fake = torch.randn(4, 3, 16, 16)
    return critic, real, fake
