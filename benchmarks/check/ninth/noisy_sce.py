import torch
import torch.nn as nn
import torch.nn.functional as F


class NoisySCE(nn.Module):
    """Symmetric cross-entropy for noisy labels (Wang et al., 2019).

    ``a * CE(q, p) + b * RCE(p, q)``; in the reverse term log 0 of the one-hot
    label is replaced by the constant ``A``, which makes it
    ``-A * (1 - p_y)``.

    Args:
        a (float), b (float): weights. Defaults: 0.1 and 1.0
        A (float): negative constant. Default: -4

    Shape:
        - out: (N, C) logits
        - y: (N,)
    """

    def __init__(self, a=0.1, b=1.0, A=-4.0):
        super().__init__()
        self.a, self.b, self.A = a, b, A

    def forward(self, out, y):
        ce = F.cross_entropy(out, y)
        p_y = out.softmax(1)[torch.arange(len(y), device=y.device), y]
        rce = -self.A * (1 - p_y).mean()
        return self.a * ce + self.b * rce
