import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 12, 50).requires_grad_()
    labels = torch.randint(0, 50, (2, 12))
    labels[:, :4] = -100
    labels[1, 9:] = -100
    return logits, labels
