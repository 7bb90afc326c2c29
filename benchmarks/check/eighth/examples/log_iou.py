import torch


def make_example():
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 16, 16, requires_grad=True)
    masks = (torch.rand(2, 3, 16, 16) > 0.7).float()
    return scores, masks
