import torch
import torch.nn as nn
import torch.nn.functional as F


class RelativisticAverageLoss(nn.Module):
    def forward(self, real, fake, for_generator: bool = False):
        real_vs_fake = real - fake.mean(dim=0, keepdim=True)
        fake_vs_real = fake - real.mean(dim=0, keepdim=True)
        if for_generator:
            real_vs_fake, fake_vs_real = fake_vs_real, real_vs_fake
        # softplus(-x) = -log sigmoid(x)
        return 0.5 * (F.softplus(-real_vs_fake).mean() + F.softplus(fake_vs_real).mean())
