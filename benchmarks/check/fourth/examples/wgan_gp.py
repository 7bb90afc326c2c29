import torch


def make_batch():
    g = torch.Generator().manual_seed(119)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.LeakyReLU(0.2),
                                     torch.nn.Flatten(), torch.nn.Linear(8 * 7 * 7, 1))
    real = torch.rand(4, 3, 16, 16, generator=g) * 2 - 1
    fake = torch.rand(4, 3, 16, 16, generator=g) * 2 - 1
    return critic, real, fake
