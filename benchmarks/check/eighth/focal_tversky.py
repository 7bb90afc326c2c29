import torch
import torch.nn as nn


class FocalTverskyLoss(nn.Module):
    """Focal Tversky loss (Abraham and Khan, 2019) for binary masks.

    ``(1 - TI) ** (1 / gamma)`` with the Tversky index
    ``TI = (TP + s) / (TP + fn_weight * FN + fp_weight * FP + s)`` of each image;
    the mean over the batch is returned. ``1 - TI`` is bounded below by 1e-6
    before the power is taken.

    Args:
        fn_weight: penalty of missed foreground ("alpha" in the paper).
        fp_weight: penalty of false alarms ("beta" in the paper).
        gamma: focusing exponent.
        s: smoothing constant.
        from_logits: apply a sigmoid to the predictions first.
    """

    def __init__(self, fn_weight=0.7, fp_weight=0.3, gamma=4 / 3, s=1.0, from_logits=True):
        super().__init__()
        self.fn_weight = fn_weight
        self.fp_weight = fp_weight
        self.gamma = gamma
        self.s = s
        self.from_logits = from_logits

    def forward(self, y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        p = torch.sigmoid(y_pred) if self.from_logits else y_pred
        p = p.flatten(1)
        g = y_true.flatten(1).to(p.dtype)

        tp = torch.einsum("ni,ni->n", p, g)
        miss = g.sum(1) - tp
        false_alarm = p.sum(1) - tp
        index = (tp + self.s) / (tp + self.fn_weight * miss + self.fp_weight * false_alarm + self.s)
        return (1 - index).clamp_min(1e-6).pow(1 / self.gamma).mean()
