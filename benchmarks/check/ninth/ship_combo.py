import torch
import torch.nn as nn
import torch.nn.functional as F


class ShipCombo(nn.Module):
    """Weighted sum of BCE and soft Dice that also reports its parts.

    Args:
        w_bce (float), w_dice (float): weights of the two terms
        pos_weight (float): weight of the ship pixels in the BCE

    Returns:
        dict with 'loss' (to call backward on), 'bce' and 'dice'; the latter two
        are unweighted and detached, for logging.

    Shape:
        - logits, mask: (N, 1, H, W)
    """

    def __init__(self, w_bce=1.0, w_dice=1.0, pos_weight=1.0):
        super().__init__()
        self.w_bce = w_bce
        self.w_dice = w_dice
        self.pos_weight = pos_weight

    def forward(self, logits, mask):
        mask = mask.to(logits.dtype)
        pw = torch.as_tensor(self.pos_weight, dtype=logits.dtype, device=logits.device)
        bce = F.binary_cross_entropy_with_logits(logits, mask, pos_weight=pw)
        p = logits.sigmoid()
        dims = (1, 2, 3)
        dice = 1 - (2 * (p * mask).sum(dims) + 1) / (p.sum(dims) + mask.sum(dims) + 1)
        dice = dice.mean()
        total = self.w_bce * bce + self.w_dice * dice
        return {"loss": total, "bce": bce.detach(), "dice": dice.detach()}
