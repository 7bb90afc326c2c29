import torch


def make_example():
    torch.manual_seed(0)
    pred = (torch.rand(2, 10, 4) * 0.5 + 0.2).requires_grad_()
    targets = [torch.rand(3, 4) * 0.4 + 0.2, torch.rand(2, 4) * 0.4 + 0.2]
    indices = [(torch.tensor([4, 7, 1]), torch.tensor([2, 0, 1])),
               (torch.tensor([0, 9]), torch.tensor([1, 0]))]
    return pred, targets, indices
