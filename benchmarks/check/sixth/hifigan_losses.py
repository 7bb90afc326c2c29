import torch
import torch.nn as nn


def feature_loss(fmap_r, fmap_g):
    loss = 0
    for dr, dg in zip(fmap_r, fmap_g):
        for rl, gl in zip(dr, dg):
            loss += torch.mean(torch.abs(rl.detach() - gl))
    return loss * 2


def discriminator_loss(disc_real_outputs, disc_generated_outputs):
    loss = 0
    r_losses = []
    g_losses = []
    for dr, dg in zip(disc_real_outputs, disc_generated_outputs):
        r_loss = torch.mean((1 - dr) ** 2)
        g_loss = torch.mean(dg ** 2)
        loss += (r_loss + g_loss)
        r_losses.append(r_loss.item())
        g_losses.append(g_loss.item())
    return loss, r_losses, g_losses


class GeneratorLoss(nn.Module):
    """Least squares adversarial loss over all sub-discriminators + feature matching + mel L1."""

    def __init__(self, lambda_mel=45.0, lambda_fm=1.0):
        super().__init__()
        self.lambda_mel = lambda_mel
        self.lambda_fm = lambda_fm

    def forward(self, disc_outputs, fmap_r, fmap_g, mel, mel_hat):
        loss_adv = 0
        for dg in disc_outputs:
            loss_adv = loss_adv + torch.mean((1 - dg) ** 2)
        loss_fm = feature_loss(fmap_r, fmap_g)
        loss_mel = nn.functional.l1_loss(mel, mel_hat)
        return loss_adv + self.lambda_fm * loss_fm + self.lambda_mel * loss_mel
