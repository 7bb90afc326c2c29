import torch


def house_mse(pred, price, weight=None):
    """Sample-weighted mean squared error for a price regressor.

    Args:
        pred: output of the final ``nn.Linear(d, 1)``, shape (N, 1)
        price: true prices, shape (N,)
        weight: optional importance of each house, shape (N,)

    Returns:
        sum of ``weight * (pred - price) ** 2`` over the houses divided by the
        sum of the weights; the plain mean over houses without weights.
    """
    sq = (pred - price) ** 2
    if weight is None:
        return sq.mean()
    return (weight * sq).mean() / weight.mean()
