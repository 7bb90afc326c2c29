import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 16, 16, requires_grad=True)
    labels = torch.randint(0, 4, (2, 16, 16))
    labels[:, :, :2] = 255
    return logits, labels
