import torch


def make_example():
    torch.manual_seed(0)
    delta_mu = torch.randn(5, 3, 4, 4, requires_grad=True)
    delta_log_var = (0.3 * torch.randn(5, 3, 4, 4)).requires_grad_()
    mu = torch.randn(5, 3, 4, 4)
    log_var = torch.randn(5, 3, 4, 4)
    return delta_mu, delta_log_var, mu, log_var
