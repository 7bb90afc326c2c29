import torch
import torch.nn as nn
import torch.nn.functional as F


class VQObjective(nn.Module):
    """Quantization and reconstruction objective of a VQ-VAE.

    Holds the codebook. The decoder runs on ``quantize(z)[0]`` (straight
    through), afterwards ``forward`` returns the total training loss.

    Args:
        n_e: number of embeddings
        e_dim: dimension of an embedding
        beta: commitment cost, weight of the term which keeps the encoder
            outputs close to the codebook:
            ||z_e - sg[e]||^2 * beta
        recon: 'l1' or 'mse'
    """

    def __init__(self, n_e=64, e_dim=8, beta=0.25, recon="l1"):
        super().__init__()
        self.n_e = n_e
        self.e_dim = e_dim
        self.beta = beta
        self.recon = recon
        self.embedding = nn.Embedding(n_e, e_dim)
        self.embedding.weight.data.uniform_(-1.0 / n_e, 1.0 / n_e)

    def lookup(self, z):
        """Nearest codebook entries; z: (B, C, H, W) with C = e_dim."""
        zp = z.permute(0, 2, 3, 1).contiguous()
        z_flat = zp.view(-1, self.e_dim)
        # (z - e)^2 = z^2 + e^2 - 2 e * z
        d = (z_flat.pow(2).sum(1, keepdim=True)
             + self.embedding.weight.pow(2).sum(1)
             - 2 * z_flat @ self.embedding.weight.t())
        indices = d.argmin(dim=1)
        z_q = self.embedding(indices).view(zp.shape)
        return z_q.permute(0, 3, 1, 2).contiguous(), indices

    def quantize(self, z):
        z_q, indices = self.lookup(z)
        # preserve gradients
        return z + (z_q - z).detach(), indices

    def perplexity(self, indices):
        probs = torch.bincount(indices, minlength=self.n_e).float()
        probs = probs / probs.sum()
        return torch.exp(-(probs * torch.log(probs + 1e-10)).sum())

    def codebook_loss(self, z, z_q):
        return torch.mean((z_q.detach() - z) ** 2) + self.beta * \
            torch.mean((z_q - z.detach()) ** 2)

    def forward(self, z, x_rec, x):
        """z: encoder output, x_rec: reconstruction, x: input image"""
        z_q, _ = self.lookup(z)
        if self.recon == "l1":
            rec = F.l1_loss(x_rec, x)
        else:
            rec = F.mse_loss(x_rec, x)
        return rec + self.codebook_loss(z, z_q)
