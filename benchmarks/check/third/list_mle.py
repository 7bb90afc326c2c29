import torch


def listMLE(y_pred, y_true, padded_value_indicator=-1):
    """
    ListMLE loss, "Listwise Approach to Learning to Rank - Theory and Algorithm".
    :param y_pred: predictions from the model, shape [batch_size, slate_length]
    :param y_true: ground truth labels, shape [batch_size, slate_length]
    :param padded_value_indicator: y_true value of the slots behind the end of a shorter slate
    :return: loss value, averaged over the slates
    """
    y_true_sorted, indices = y_true.sort(descending=True, dim=-1, stable=True)
    preds_sorted = torch.gather(y_pred, dim=1, index=indices)

    mask = y_true_sorted == padded_value_indicator
    preds_sorted = preds_sorted.masked_fill(mask, 0.0)

    # log of the normaliser of every position: all documents from there to the end
    log_cumsums = torch.logcumsumexp(preds_sorted.flip(dims=[1]), dim=1).flip(dims=[1])
    observation_loss = log_cumsums - preds_sorted
    observation_loss = observation_loss.masked_fill(mask, 0.0)

    return torch.mean(torch.sum(observation_loss, dim=1))
