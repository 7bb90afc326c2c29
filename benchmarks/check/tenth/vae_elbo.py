import torch
from torch.nn import functional as F


# Reconstruction + KL divergence losses summed over all elements and batch
def loss_function(recon_x, x, mu, logvar):
    """recon_x is the sigmoid output (B, 784), x in [0, 1] (B, 784)"""
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, recon_x.size(-1)), reduction='sum')

    # see Appendix B from VAE paper:
    # 0.5 * sum(1 + log(sigma^2) - mu^2 - sigma^2)
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())

    return BCE + KLD
