import torch


def make_example():
    torch.manual_seed(0)
    outputs = [torch.randn(8, 1).requires_grad_(), torch.randn(8, 3).requires_grad_()]
    targets = [torch.randn(8, 1), torch.randn(8, 3)]
    return outputs, targets
