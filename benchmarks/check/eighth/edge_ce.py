import torch
import torch.nn as nn
import torch.nn.functional as F


class EdgeAttentionCE(nn.Module):
    """Cross entropy with extra attention on the borders between classes.

    The total is ``CE(all pixels) + edge_weight * CE(edge pixels)``, each term
    being a mean over its pixels. A pixel is an edge pixel when the labels in
    its (2 * radius + 1)^2 neighbourhood are not all the same.

    Args:
        edge_weight: factor of the edge term.
        radius: half width of the edge band in pixels.
    """

    def __init__(self, edge_weight: float = 0.5, radius: int = 1):
        super().__init__()
        self.edge_weight = edge_weight
        self.radius = radius

    @torch.no_grad()
    def edge_mask(self, target: torch.Tensor) -> torch.Tensor:
        k = 2 * self.radius + 1
        t = target.float().unsqueeze(1)
        dilated = F.max_pool2d(t, k, stride=1, padding=self.radius)
        eroded = -F.max_pool2d(-t, k, stride=1, padding=self.radius)
        return (dilated != eroded).squeeze(1)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """logits: (N, C, H, W), target: (N, H, W) long."""
        ce = F.cross_entropy(logits, target, reduction="none")
        edges = self.edge_mask(target)
        return ce.mean() + self.edge_weight * ce[edges].mean()
