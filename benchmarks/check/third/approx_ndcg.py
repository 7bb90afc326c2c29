import torch
from torch import nn


class ApproxNDCGLoss(nn.Module):
    """1 - smooth NDCG (Qin, Liu & Li 2010). Slots with y_true == -1 are padding.

    y_pred, y_true: (batch, slate). Slates without any relevant document are skipped.
    """

    def __init__(self, alpha=1.0, padded_value_indicator=-1):
        super().__init__()
        self.alpha = alpha
        self.pad = padded_value_indicator

    def forward(self, y_pred, y_true):
        y_true = y_true.to(y_pred.dtype)
        valid = y_true != self.pad
        gains = torch.where(valid, torch.pow(2.0, y_true.clamp(min=0)) - 1, torch.zeros_like(y_true))

        # 1 + number of documents (softly) ranked above i
        diff = y_pred.unsqueeze(1) - y_pred.unsqueeze(2)
        above = torch.sigmoid(self.alpha * diff) * valid.unsqueeze(1).to(y_pred.dtype)
        eye = torch.eye(y_pred.shape[1], dtype=torch.bool, device=y_pred.device)
        above = above.masked_fill(eye, 0.0)
        approx_pos = 1.0 + above.sum(dim=2)
        dcg = (gains / torch.log2(1.0 + approx_pos)).sum(dim=1)

        ideal = gains.sort(dim=1, descending=True)[0]
        rank = torch.arange(y_pred.shape[1], dtype=y_pred.dtype, device=y_pred.device)
        idcg = (ideal / torch.log2(2.0 + rank)).sum(dim=1)

        has_rel = idcg > 0
        ndcg = dcg / torch.where(has_rel, idcg, torch.ones_like(idcg))
        w = has_rel.to(y_pred.dtype)
        return ((1.0 - ndcg) * w).sum() / w.sum().clamp(min=1.0)
