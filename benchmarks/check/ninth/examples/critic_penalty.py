import torch


def make_example():
    torch.manual_seed(0)
    critic = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(4 * 64, 1)
    )
    real = torch.randn(4, 3, 8, 8)
    fake = torch.randn(4, 3, 8, 8)
    return critic, real, fake
