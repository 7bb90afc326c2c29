import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 16, 16, requires_grad=True)
    target = torch.randint(0, 2, (2, 16, 16))
    target[:, :3] = 255
    return logits, target
