import torch
import torch.nn as nn
import torch.nn.functional as F


class CaptionNCE(nn.Module):
    """Symmetric InfoNCE between images and captions as in CLIP.

    Row i of both inputs belongs to the same pair; all other rows of the batch
    are negatives. The cross-entropies of the two directions are averaged. The
    logit scale ``1 / tau`` is limited to 100.

    Args:
        learn_scale (bool): make the logit scale a parameter. Default: True
        init_tau (float): initial temperature. Default: 0.07

    Shape:
        - img, txt: (N, D), normalised inside
    """

    def __init__(self, learn_scale=True, init_tau=0.07):
        super().__init__()
        scale = torch.tensor(1.0 / init_tau).log()
        self.log_scale = nn.Parameter(scale, requires_grad=learn_scale)

    def forward(self, img, txt):
        a, b = F.normalize(img, dim=-1), F.normalize(txt, dim=-1)
        logits = self.log_scale.exp().clamp(max=100.0) * (a @ b.T)
        idx = torch.arange(len(img), device=img.device)
        return 0.5 * (F.cross_entropy(logits, idx) + F.cross_entropy(logits.T, idx))
