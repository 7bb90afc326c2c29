import torch


def make_example():
    torch.manual_seed(0)
    scores = torch.randn(2, 6, 11)
    target = torch.randint(1, 11, (2, 6))
    target[1, 4:] = 0
    return torch.log_softmax(scores, dim=-1).detach().requires_grad_(), target
