import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class ImageTextContrastive(nn.Module):
    def __init__(self, init_temperature=0.07, max_scale=100.0):
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / init_temperature)))
        self.max_scale = max_scale

    def forward(self, image_features, text_features):
        img = F.normalize(image_features, dim=-1)
        txt = F.normalize(text_features, dim=-1)
        scale = self.log_scale.exp().clamp(max=self.max_scale)
        logits = scale * (img @ txt.T)
        labels = torch.arange(logits.shape[0], device=logits.device)
        loss_i = F.cross_entropy(logits, labels)
        loss_t = F.cross_entropy(logits.T, labels)
        return 0.5 * (loss_i + loss_t)
