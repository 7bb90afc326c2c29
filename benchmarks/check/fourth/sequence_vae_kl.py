import torch


def masked_kl(mean, log_var, mask):
    """KL(N(mean, exp(log_var)) || N(0, I)) of each step of a padded batch,
    averaged over the real steps.

    mean, log_var: (B, T, D)   mask: (B, T), 1 for real steps and 0 for padding
    """
    mask = mask.to(mean.dtype)
    kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp()) * mask
    return kl.sum() / mask.sum().clamp(min=1)
