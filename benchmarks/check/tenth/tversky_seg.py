import torch
import torch.nn as nn


class TverskyLoss(nn.Module):
    """
    Tversky index TI = TP / (TP + alpha * FP + beta * FN)
    loss = 1 - TI

    A larger beta puts more weight on false negatives (better recall).
    preds are probabilities.
    """
    ALPHA = 0.3
    BETA = 0.7

    def __init__(self, alpha=ALPHA, beta=BETA, smooth=1.0):
        super(TverskyLoss, self).__init__()
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth

    def forward(self, preds, targets):
        preds = preds.view(-1)
        targets = targets.view(-1)

        # True Positives, False Positives & False Negatives
        TP = (preds * targets).sum()
        FP = ((1 - targets) * preds).sum()
        FN = (targets * (1 - preds)).sum()

        tversky = (TP + self.smooth) / (TP + self.alpha * FP + self.beta * FN + self.smooth)
        return 1 - tversky
