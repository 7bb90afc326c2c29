import torch


def make_example():
    torch.manual_seed(0)
    b, a = 16, 4
    return (torch.randn(b, a).requires_grad_(), torch.randn(b, a), torch.randn(b, a),
            torch.randint(0, a, (b,)), torch.randn(b), torch.rand(b) > 0.8, torch.rand(b))
