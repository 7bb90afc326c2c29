import torch


def make_example():
    torch.manual_seed(0)
    counts = [5, 3, 2, 4]
    scores = torch.randn(sum(counts)).requires_grad_()
    labels = torch.randint(0, 4, (sum(counts),))
    return scores, counts, labels
