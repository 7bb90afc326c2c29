import torch
import torch.nn as nn


class SupConLoss(nn.Module):
    """Supervised Contrastive Learning (Eq. 2). Without labels it degenerates to SimCLR.

    features: (bsz, n_views, dim), L2-normalised by the projection head
    labels:   (bsz,) or None
    Anchors that have no positive are left out of the average.
    """

    def __init__(self, temperature=0.07, contrast_mode='all', base_temperature=0.07):
        super(SupConLoss, self).__init__()
        self.temperature = temperature
        self.contrast_mode = contrast_mode
        self.base_temperature = base_temperature

    def forward(self, features, labels=None):
        if features.dim() > 3:
            features = features.reshape(features.shape[0], features.shape[1], -1)
        bsz, n_views = features.shape[:2]
        if labels is None:
            labels = torch.arange(bsz, device=features.device)
        mask = torch.eq(labels.view(-1, 1), labels.view(1, -1)).to(features.dtype)

        contrast = torch.cat(torch.unbind(features, dim=1), dim=0)
        if self.contrast_mode == 'one':
            anchor, count = features[:, 0], 1
        elif self.contrast_mode == 'all':
            anchor, count = contrast, n_views
        else:
            raise ValueError('Unknown mode: {}'.format(self.contrast_mode))

        logits = torch.matmul(anchor, contrast.t()) / self.temperature
        logits = logits - logits.max(dim=1, keepdim=True)[0].detach()

        mask = mask.repeat(count, n_views)
        idx = torch.arange(bsz * count, device=features.device)
        not_self = torch.ones_like(mask)
        not_self[idx, idx] = 0
        mask = mask * not_self

        log_prob = logits - torch.logsumexp(logits.masked_fill(not_self == 0, -1e9), dim=1, keepdim=True)
        n_pos = mask.sum(1)
        mean_log_prob_pos = (mask * log_prob).sum(1) / n_pos.clamp(min=1)

        has_pos = (n_pos > 0).to(features.dtype)
        loss = -(self.temperature / self.base_temperature) * mean_log_prob_pos
        return (loss * has_pos).sum() / has_pos.sum().clamp(min=1)
