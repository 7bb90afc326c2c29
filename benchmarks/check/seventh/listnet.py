import torch
import torch.nn.functional as F

PADDED_Y_VALUE = -1


def list_net(y_pred, y_true, padded_value_indicator=PADDED_Y_VALUE):
    """ListNet loss: cross entropy of the top-one probabilities.

    :param y_pred: scores of the model, shape [batch_size, slate_length]
    :param y_true: relevance labels, padded with padded_value_indicator
    :return: loss averaged over the slates with at least one document
    """
    mask = y_true == padded_value_indicator
    has_docs = ~mask.all(dim=1)

    # a large finite value, a row of -inf would turn the softmax into nan
    low = -1e9
    preds_log_sm = F.log_softmax(y_pred.masked_fill(mask, low), dim=1)
    true_sm = F.softmax(y_true.float().masked_fill(mask, low), dim=1)

    per_doc = torch.where(mask, torch.zeros_like(y_pred), true_sm * preds_log_sm)
    per_slate = -per_doc.sum(dim=1)
    return (per_slate * has_docs).sum() / has_docs.sum().clamp(min=1)
