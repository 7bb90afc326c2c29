import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class LDAMLoss(nn.Module):
    """
    label-distribution-aware margin loss, CE(s * (x - m_y)), m_j proportional to n_j ** -1/4

    x: cosine logits in [-1, 1] from a normalised linear layer, (N, C)
    """

    def __init__(self, cls_num_list=(5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50),
                 max_m=0.5, weight=None, s=30):
        super(LDAMLoss, self).__init__()
        m_list = 1.0 / np.sqrt(np.sqrt(cls_num_list))
        m_list = m_list * (max_m / np.max(m_list))
        self.register_buffer('m_list', torch.tensor(m_list, dtype=torch.float32))
        assert s > 0
        self.s = s
        self.weight = weight

    def forward(self, x, target):
        index = torch.zeros_like(x, dtype=torch.bool)
        index.scatter_(1, target.view(-1, 1), True)

        batch_m = self.m_list[target].view(-1, 1).to(x.dtype)
        x_m = x - batch_m * self.s

        output = torch.where(index, x_m, x)
        return F.cross_entropy(output, target, weight=self.weight)
