import torch
from torch import nn
import torch.nn.functional as F


class CumulativeLinkLoss(nn.Module):
    """Proportional odds model for ordinal labels with learned thresholds.

        P(y <= k) = sigmoid(theta_k - score),   theta_0 < theta_1 < ... < theta_{K-2}

    The thresholds are a free first value plus softplus increments, so their order holds during
    training. `forward` returns the mean negative log-likelihood.
    """

    def __init__(self, num_classes: int = 5, init_gap: float = 1.0):
        super().__init__()
        assert num_classes >= 2
        self.num_classes = num_classes
        first = -init_gap * (num_classes - 2) / 2
        raw = torch.log(torch.expm1(torch.tensor(init_gap)))
        self.first = nn.Parameter(torch.tensor([first]))
        self.raw_gaps = nn.Parameter(raw.repeat(num_classes - 2))

    @property
    def thresholds(self) -> torch.Tensor:
        gaps = F.softplus(self.raw_gaps)
        return torch.cat([self.first, self.first + gaps.cumsum(0)])

    def log_probs(self, score: torch.Tensor) -> torch.Tensor:
        theta = self.thresholds
        z = theta.unsqueeze(0) - score.view(-1, 1)          # (n, K - 1)
        lo = F.logsigmoid(z[:, :1])                          # class 0
        hi = F.logsigmoid(-z[:, -1:])                        # class K - 1
        if self.num_classes == 2:
            return torch.cat([lo, hi], dim=1)
        # sigmoid(b) - sigmoid(a) = sigmoid(b) * sigmoid(-a) * (1 - exp(a - b)) for b > a
        gap = (theta[1:] - theta[:-1]).clamp(min=1e-6)
        mid = F.logsigmoid(z[:, 1:]) + F.logsigmoid(-z[:, :-1]) + torch.log(-torch.expm1(-gap))
        return torch.cat([lo, mid, hi], dim=1)

    def forward(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.nll_loss(self.log_probs(score), target.view(-1))
