import torch
import torch.nn.functional as F


def event_vae_loss(logits, target, mean, log_var, seq_onehots, beta=1.0):
    """Negative ELBO of a VAE with one latent per event of a padded sequence.

    logits: [batch, seq, num_types], target: [batch, seq]
    mean, log_var: [batch, seq, latent_dim] of the approximate posterior
    seq_onehots: [batch, seq], 1 for events and 0 for padding

    Returns the sum over the events of reconstruction + beta * KL, divided by the
    number of events.
    """
    seq_onehots = seq_onehots.float()
    num_events = seq_onehots.sum().clamp(min=1.)

    recon_loss = F.cross_entropy(logits.transpose(1, 2), target, reduction='none') * seq_onehots
    kl_loss = (-0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())) * seq_onehots

    return (recon_loss + beta * kl_loss).sum() / num_events
