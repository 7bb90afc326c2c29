import torch
import torch.nn as nn
import torch.nn.functional as F


class ProportionalOddsLoss(nn.Module):
    """Cumulative link (proportional odds) model with learned cut points.

    P(y <= k) = sigmoid(theta_k - s). The cut points stay ordered because the
    gaps are parametrised through a softplus.

    Args:
        num_classes: number of grades, at least 3.
    Inputs: score s (N,), target (N,) in 0 .. num_classes - 1.
    """

    def __init__(self, num_classes=5, min_gap=1e-3):
        super().__init__()
        if num_classes < 3:
            raise ValueError("use a binary loss for two classes")
        self.min_gap = min_gap
        self.first = nn.Parameter(torch.tensor(-float(num_classes - 2) / 2))
        self.raw_gaps = nn.Parameter(torch.full((num_classes - 2,), 0.5413))

    def forward(self, score, target):
        gaps = F.softplus(self.raw_gaps) + self.min_gap
        theta = torch.cat([self.first.view(1), self.first + gaps.cumsum(0)])
        last = theta.numel()

        has_upper, has_lower = target < last, target > 0
        upper = theta[target.clamp(max=last - 1)] - score
        lower = theta[(target - 1).clamp(min=0)] - score
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))
        log_width = torch.log(-torch.expm1(-gaps))
        zero = torch.zeros_like(score)
        log_p = torch.where(has_upper, F.logsigmoid(upper), zero)
        log_p = log_p + torch.where(has_lower, F.logsigmoid(-lower), zero)
        inner = log_width[(target - 1).clamp(0, gaps.numel() - 1)]
        log_p = log_p + torch.where(has_upper & has_lower, inner, zero)
        return -log_p.mean()
