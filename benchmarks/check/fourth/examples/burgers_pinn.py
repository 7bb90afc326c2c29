import torch


def make_batch():
    g = torch.Generator().manual_seed(159)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 16),
                                    torch.nn.Tanh(), torch.nn.Linear(16, 1))
    x = torch.rand(32, 1, generator=g) * 2 - 1
    t = torch.rand(32, 1, generator=g)
    x0 = torch.rand(16, 1, generator=g) * 2 - 1
    u0 = -torch.sin(3.14159 * x0)
    return model, x, t, x0, u0
