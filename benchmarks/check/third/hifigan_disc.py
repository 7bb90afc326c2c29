import torch


def discriminator_loss(disc_real_outputs, disc_generated_outputs):
    """least squares, over a list of sub-discriminators. returns total, per-disc real, per-disc fake"""
    assert len(disc_real_outputs) == len(disc_generated_outputs)
    loss = 0
    r_losses = []
    g_losses = []
    for dr, dg in zip(disc_real_outputs, disc_generated_outputs):
        r_loss = torch.mean((1 - dr) ** 2)
        g_loss = torch.mean(dg ** 2)
        loss = loss + (r_loss + g_loss)
        r_losses.append(r_loss.item())
        g_losses.append(g_loss.item())

    return loss, r_losses, g_losses
