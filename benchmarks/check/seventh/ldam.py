import torch
import torch.nn as nn
import torch.nn.functional as F


class LDAMLoss(nn.Module):
    """Label-distribution-aware margin loss (Cao et al., NeurIPS 2019).

    The true class logit is lowered by a margin proportional to n_j^(-1/4).

    Args:
        cls_num_list: number of training samples per class.
        max_m: the largest margin (of the rarest class).
        weight: optional class weights (deferred re-weighting).
        s: scale of the (cosine) logits.
    """

    def __init__(self, cls_num_list, max_m=0.5, weight=None, s=30):
        super().__init__()
        n = torch.tensor(cls_num_list, dtype=torch.float32).clamp(min=1)
        m_list = n.pow(-0.25)
        m_list = m_list * (max_m / m_list.max())
        self.register_buffer("m_list", m_list)
        assert s > 0
        self.s = s
        if weight is not None:
            weight = torch.as_tensor(weight, dtype=torch.float32)
        self.register_buffer("weight", weight)

    def forward(self, x, target):
        index = F.one_hot(target, x.shape[1]).bool()
        batch_m = self.m_list[target].unsqueeze(1).to(x.dtype)
        output = torch.where(index, x - batch_m, x)
        return F.cross_entropy(self.s * output, target, weight=self.weight)
