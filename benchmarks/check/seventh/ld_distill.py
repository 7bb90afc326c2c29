import torch.nn as nn
import torch.nn.functional as F


class LocalizationDistillationLoss(nn.Module):
    """Localization distillation: the student imitates the teacher's
    discretised distribution of each box edge.

    loss = T^2 * KL(softmax(teacher / T) || softmax(student / T)) per edge.

    Args:
        T (float): softmax temperature.
        loss_weight (float): weight of the loss.
        reduction (str): 'mean', 'sum' or 'none'.
    """

    def __init__(self, T=10.0, loss_weight=1.0, reduction="mean"):
        super().__init__()
        assert T >= 1
        self.T = T
        self.loss_weight = loss_weight
        self.reduction = reduction

    def kl_div(self, pred, soft_label):
        # pred, soft_label: (N * 4, reg_max + 1) edge logits
        target = F.softmax(soft_label / self.T, dim=1).detach()
        kd_loss = F.kl_div(
            F.log_softmax(pred / self.T, dim=1), target, reduction="none"
        ).mean(1) * (self.T * self.T)
        return kd_loss

    def forward(self, pred, soft_label, weight=None, avg_factor=None):
        assert pred.size() == soft_label.size()
        loss = self.kl_div(pred, soft_label)
        if weight is not None:
            loss = loss * weight
        if self.reduction == "none":
            return self.loss_weight * loss
        if self.reduction == "sum":
            return self.loss_weight * loss.sum()
        if avg_factor is None:
            avg_factor = max(loss.numel(), 1)
        return self.loss_weight * loss.sum() / avg_factor
