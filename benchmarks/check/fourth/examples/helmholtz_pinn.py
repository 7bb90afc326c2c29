import torch


def make_batch():
    g = torch.Generator().manual_seed(129)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 16),
                                    torch.nn.Tanh(), torch.nn.Linear(16, 1))
    xy = torch.rand(32, 2, generator=g)
    source = torch.sin(3 * xy[:, 0]) * torch.sin(2 * xy[:, 1])
    return model, xy, source
