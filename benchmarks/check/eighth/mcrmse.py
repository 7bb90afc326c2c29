import torch
import torch.nn as nn


class MCRMSELoss(nn.Module):
    """Mean column-wise root mean squared error (Kaggle OpenVaccine metric).

    The squared errors of a target column are averaged over samples and
    positions, then the roots of the columns are averaged. Only the first
    ``num_scored`` columns count. ``eps`` is added under the root so that
    training can continue with a column that is fitted exactly.

    Shape: y and y_hat are (N, positions, columns).
    """

    def __init__(self, num_scored: int = 3, eps: float = 1e-8):
        super().__init__()
        self.num_scored = num_scored
        self.eps = eps

    def forward(self, y: torch.Tensor, y_hat: torch.Tensor) -> torch.Tensor:
        score = 0
        for i in range(self.num_scored):
            mse = torch.mean((y[..., i] - y_hat[..., i]) ** 2)
            score = score + torch.sqrt(mse + self.eps) / self.num_scored
        return score
