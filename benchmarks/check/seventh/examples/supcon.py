import torch
import torch.nn.functional as F


def make_example():
    torch.manual_seed(0)
    features = F.normalize(torch.randn(12, 1, 32), dim=-1).requires_grad_()
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4])
    return features, labels
