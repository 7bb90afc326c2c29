import torch
import torch.nn as nn
import torch.nn.functional as F


class FocalLoss(nn.Module):
    """-alpha_t * (1 - p_t)^gamma * log(p_t) for multi-class problems.

    alpha: list of per class weights, or a float for the background class
        (index 0), the other classes get 1 - alpha.
    """

    def __init__(self, alpha=0.25, gamma=2, num_classes=3, size_average=True):
        super().__init__()
        self.size_average = size_average
        if isinstance(alpha, (list, tuple)):
            assert len(alpha) == num_classes
            self.alpha = torch.tensor(alpha, dtype=torch.float32)
        else:
            self.alpha = torch.zeros(num_classes)
            self.alpha[0] += alpha
            self.alpha[1:] += 1 - alpha
        self.gamma = gamma

    def forward(self, preds, labels):
        # preds: (N, C) scores, labels: (N,)
        preds = preds.view(-1, preds.size(-1))
        log_p = F.log_softmax(preds, dim=1)
        log_pt = log_p.gather(1, labels.view(-1, 1)).view(-1)
        pt = log_pt.exp()
        self.alpha = self.alpha.to(preds.device).gather(0, labels.view(-1))
        loss = -torch.pow(1 - pt, self.gamma) * log_pt
        loss = self.alpha * loss
        return loss.mean() if self.size_average else loss.sum()
