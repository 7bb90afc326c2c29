import torch


def make_example():
    torch.manual_seed(0)
    return (torch.randn(8, 1, 14, 14).requires_grad_(), torch.rand(8, 1, 14, 14),
            torch.randn(8, 6).requires_grad_(), (0.3 * torch.randn(8, 6)).requires_grad_())
