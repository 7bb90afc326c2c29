import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(3, 30, 12).requires_grad_()
    ids = torch.randint(1, 12, (3, 8))
    return logits, ids, torch.tensor([30, 25, 28]), torch.tensor([8, 6, 7])
