import torch

PADDED_Y_VALUE = -1


def approxNDCGLoss(y_pred, y_true, eps=1e-10, padded_value_indicator=PADDED_Y_VALUE, alpha=10.):
    """
    Approximate NDCG loss, "A General Approximation Framework for Direct Optimization of
    Information Retrieval Measures". Lies in [-1, 0].
    :param y_pred: predictions from the model, shape [batch_size, slate_length]
    :param y_true: ground truth grades, shape [batch_size, slate_length], padded with padded_value_indicator
    :param alpha: slope of the sigmoid that approximates the ranks
    :return: loss value, a torch.Tensor
    """
    valid = y_true != padded_value_indicator
    y_true = y_true.masked_fill(~valid, 0).to(y_pred.dtype)
    y_pred = y_pred.masked_fill(~valid, 0.)

    # soft rank: 1 + number of valid documents that score higher
    diff = y_pred.unsqueeze(1) - y_pred.unsqueeze(2)      # [b, i, j] = s_j - s_i
    ahead = torch.sigmoid(alpha * diff)
    pair = valid.unsqueeze(1) & valid.unsqueeze(2)
    pair = pair & ~torch.eye(y_pred.shape[1], dtype=torch.bool, device=y_pred.device)
    approx_pos = 1. + (ahead * pair).sum(dim=2)

    gains = (torch.pow(2., y_true) - 1.) * valid
    dcg = (gains / torch.log2(1. + approx_pos)).sum(dim=-1)

    ideal, _ = gains.sort(dim=-1, descending=True)
    pos = torch.arange(1, y_pred.shape[1] + 1, device=y_pred.device, dtype=y_pred.dtype)
    max_dcg = (ideal / torch.log2(1. + pos)).sum(dim=-1)

    # slates without any relevant document say nothing
    useful = max_dcg > 0
    ndcg = torch.where(useful, dcg / max_dcg.clamp(min=eps), torch.zeros_like(dcg))
    return -ndcg.sum() / useful.sum().clamp(min=1)
