import torch
import torch.nn.functional as F


def simclr_loss(z1, z2, temperature=0.5):
    """NT-Xent of SimCLR.

    z1, z2: (N, D) projections of two augmentations of the same N images.
    For every sample the other view is the positive and the remaining
    2N - 2 samples of the batch are negatives.
    """
    n = z1.size(0)
    z = F.normalize(torch.cat([z1, z2], dim=0), dim=1)
    sim = z @ z.t() / temperature

    idx = torch.arange(n, device=z.device)
    labels = torch.cat([idx + n, idx])
    return F.cross_entropy(sim, labels)
