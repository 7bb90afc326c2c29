import torch


def make_example():
    torch.manual_seed(0)
    target = torch.rand(2, 3, 24, 24)
    return (target + 0.1 * torch.randn(2, 3, 24, 24)).requires_grad_(), target
