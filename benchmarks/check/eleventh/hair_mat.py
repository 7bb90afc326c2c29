import torch
import torch.nn as nn
import torch.nn.functional as F


class HairMatLoss(nn.Module):
    """Cross entropy plus an edge term that sharpens the border of the predicted hair mask.

    pred: (B, 2, H, W) logits (background, hair); target: (B, H, W) with 0 / 1
    """

    def __init__(self, edge_weight=0.5):
        super().__init__()
        self.edge_weight = edge_weight
        kx = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        self.register_buffer("kernel", torch.stack([kx, kx.t()]).unsqueeze(1))

    def edges(self, mask):
        return F.conv2d(mask, self.kernel.to(mask.dtype), padding=1)

    def forward(self, pred, target):
        ce = F.cross_entropy(pred, target)
        hair = pred.argmax(1, keepdim=True).to(pred.dtype)
        truth = target.unsqueeze(1).to(pred.dtype)
        edge = (self.edges(hair) - self.edges(truth)).abs().mean()
        return ce + self.edge_weight * edge
