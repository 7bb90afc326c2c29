import torch
import torch.nn.functional as F


def vae_loss(recon_x: torch.Tensor, x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor,
             beta: float = 1.0) -> torch.Tensor:
    """Negative ELBO of a VAE with Gaussian posterior and standard normal prior.

    Reconstruction error (squared error summed over the pixels) plus ``beta``
    times the KL divergence (summed over the latent dimensions). Both are
    averaged over the batch.

    Args:
        recon_x, x: (N, ...) decoder output and input.
        mu, logvar: (N, Z) parameters of the posterior.
        beta: weight of the KL term.
    """
    recon = F.mse_loss(recon_x, x, reduction="none").flatten(1).sum(1).mean()
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    kld = torch.mean(kld, dim=0)
    return recon + beta * kld
