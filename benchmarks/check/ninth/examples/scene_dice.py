import torch


def make_example():
    torch.manual_seed(0)
    scores = torch.randn(2, 5, 12, 12, requires_grad=True)
    labels = torch.randint(0, 4, (2, 12, 12))
    labels[:, :3] = 255
    return scores, labels
