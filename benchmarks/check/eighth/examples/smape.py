import torch


def make_example():
    torch.manual_seed(0)
    forecast = (10 * torch.rand(4, 7)).requires_grad_()
    actual = torch.randint(1, 20, (4, 7)).float()
    return forecast, actual
