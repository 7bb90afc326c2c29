import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 8, 8, 8, requires_grad=True)
    labels = torch.randint(0, 3, (2, 8, 8, 8))
    onehot = torch.nn.functional.one_hot(labels, 3).permute(0, 4, 1, 2, 3).float()
    return logits.softmax(1), onehot
