import torch
import torch.nn as nn
import torch.nn.functional as F


class AsymmetricLoss(nn.Module):
    """Asymmetric loss for multi-label classification (Ridnik et al., 2021).

    Positives: ``(1 - p)^gamma_pos * (-log p)``. Negatives use the shifted
    probability ``p_m = max(p - clip, 0)``: ``p_m^gamma_neg * (-log(1 - p_m))``,
    so negatives with p below the clip cost nothing. The focusing factors are
    treated as constants in the backward pass. The result is the SUM over
    samples and labels, as in the reference implementation.

    Args:
        gamma_neg, gamma_pos: focusing exponents.
        clip: probability margin of the negatives, 0 to switch it off.
    """

    def __init__(self, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05):
        super().__init__()
        self.gamma_neg = gamma_neg
        self.gamma_pos = gamma_pos
        self.clip = clip

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """x: (N, L) logits, y: (N, L) multi-hot labels."""
        y = y.to(x.dtype)
        p = torch.sigmoid(x)
        if self.clip > 0:
            not_p = (1 - p + self.clip).clamp(max=1)
            log_not_p = torch.log(not_p)
        else:
            not_p = torch.sigmoid(-x)
            log_not_p = F.logsigmoid(-x)

        with torch.no_grad():
            focus = y * (1 - p) ** self.gamma_pos + (1 - y) * (1 - not_p) ** self.gamma_neg
        return -(focus * (y * F.logsigmoid(x) + (1 - y) * log_not_p)).sum()
