import torch
import torch.nn as nn


class ColumnRMSE(nn.Module):
    """Mean column-wise root mean squared error (MCRMSE).

    The RMSE of each target column is computed over the batch, then the columns
    are averaged.

    Args:
        num_scored (int or None): use only the first ``num_scored`` columns

    Shape:
        - y_hat, y: (N, K)
    """

    def __init__(self, num_scored=None):
        super().__init__()
        self.num_scored = num_scored

    def forward(self, y_hat, y):
        k = y.size(1) if self.num_scored is None else self.num_scored
        err = (y_hat[:, :k] - y[:, :k]) ** 2
        per_column = torch.sqrt(err.mean(dim=0))
        return per_column.mean()
