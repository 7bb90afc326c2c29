import torch
import torch.nn as nn
import torch.nn.functional as F


class AnnealedELBO(nn.Module):
    """-ELBO for binarized images with KL warm-up and free bits.

    Args:
        warmup_steps: beta grows linearly from 0 to max_beta over this many training calls
        free_bits: nats per latent dimension that are not penalised. Applied to the batch mean
            of the KL of each dimension (Kingma et al., 2016).

    x_logits, x: (B, 1, H, W); mu, logvar: (B, D). Sum over pixels / dimensions, mean over batch.
    """

    def __init__(self, warmup_steps=1000, max_beta=1.0, free_bits=0.1):
        super().__init__()
        self.warmup_steps = warmup_steps
        self.max_beta = max_beta
        self.free_bits = free_bits
        self.register_buffer('step', torch.zeros((), dtype=torch.long))

    @property
    def beta(self):
        if self.warmup_steps <= 0:
            return self.max_beta
        return self.max_beta * min(1.0, self.step.item() / self.warmup_steps)

    def forward(self, x_logits, x, mu, logvar):
        recon = F.binary_cross_entropy_with_logits(x_logits, x, reduction='none').flatten(1).sum(1).mean()

        kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
        kl = kld.sum(1).mean()
        kl_per_dim = kld.mean(0)
        kl_pen = kl_per_dim.clamp(min=self.free_bits).sum() if self.free_bits > 0 else kl

        beta = self.beta if self.training else self.max_beta
        loss = recon + beta * kl_pen
        if self.training:
            self.step += 1
        return loss, {'recon': recon.detach(), 'kl': kl.detach(), 'beta': beta}
