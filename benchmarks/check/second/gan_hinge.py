import torch
import torch.nn as nn
import torch.nn.functional as F


class GANHingeLoss(nn.Module):
    def forward(self, scores, mode):
        if mode == "real":
            return F.relu(1.0 - scores).mean()
        if mode == "fake":
            return F.relu(1.0 + scores).mean()
        if mode == "generator":
            return -F.relu(scores).mean()
        raise ValueError(mode)
