import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 8, 12, requires_grad=True)
    ids = torch.randint(0, 12, (2, 8))
    answer_mask = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0, 0, 0]])
    return logits, ids, answer_mask
