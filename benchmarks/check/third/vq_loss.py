import torch
import torch.nn.functional as F


def vector_quantize(z_e, codebook, commitment_cost=0.25):
    """VQ-VAE bottleneck.

    z_e: (B, D, H, W) encoder output, codebook: (K, D)
    returns loss, z_q (straight-through, same shape as z_e), indices (B, H, W)
    """
    B, D, H, W = z_e.shape
    flat = z_e.permute(0, 2, 3, 1).reshape(-1, D)

    with torch.no_grad():
        dist = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ codebook.t() + codebook.pow(2).sum(1)
        indices = dist.argmin(dim=1)

    z_q = F.embedding(indices, codebook).reshape(B, H, W, D).permute(0, 3, 1, 2)

    loss = F.mse_loss(z_q, z_e.detach()) + commitment_cost * F.mse_loss(z_q.detach(), z_e)
    z_q = z_e + (z_q - z_e).detach()
    return loss, z_q, indices.reshape(B, H, W)
