import torch
import torch.nn as nn


class LogCoshDiceLoss(nn.Module):
    """log(cosh(1 - Dice)) for binary masks, computed per image.

    from_logits: apply a sigmoid first (True) or take probabilities (False)
    """

    def __init__(self, from_logits=True, smooth=1.0):
        super().__init__()
        self.from_logits = from_logits
        self.smooth = smooth

    def forward(self, pred, mask):
        prob = torch.sigmoid(pred) if self.from_logits else pred
        prob = prob.flatten(1)
        mask = mask.flatten(1).to(prob.dtype)

        inter = (prob * mask).sum(1)
        dice = (2 * inter + self.smooth) / (prob.sum(1) + mask.sum(1) + self.smooth)
        return torch.log(torch.cosh(1 - dice)).mean()
