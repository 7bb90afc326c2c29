import torch


def make_example():
    torch.manual_seed(0)
    outputs = torch.randn(8, 6, requires_grad=True)
    aux_outputs = torch.randn(8, 6, requires_grad=True)
    labels = torch.randint(0, 6, (8,))
    return outputs, aux_outputs, labels
