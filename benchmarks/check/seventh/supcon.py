import torch
import torch.nn as nn


class SupConLoss(nn.Module):
    """Supervised contrastive learning: https://arxiv.org/pdf/2004.11362.pdf.
    Also supports the unsupervised contrastive loss of SimCLR when neither
    labels nor mask are given.

    Args:
        features: l2-normalised hidden vectors of shape [bsz, n_views, dim].
        labels: ground truth of shape [bsz].
        mask: contrastive mask of shape [bsz, bsz], mask_{i,j}=1 if sample j
            has the same class as sample i. Can be asymmetric.
    """

    def __init__(self, temperature=0.07, contrast_mode="all", base_temperature=0.07):
        super().__init__()
        self.temperature = temperature
        self.contrast_mode = contrast_mode
        self.base_temperature = base_temperature

    def forward(self, features, labels=None, mask=None):
        device = features.device
        if features.dim() < 3:
            raise ValueError("`features` needs to be [bsz, n_views, ...]")
        features = features.flatten(2)
        batch_size, contrast_count = features.shape[:2]

        if labels is not None and mask is not None:
            raise ValueError("Cannot define both `labels` and `mask`")
        elif labels is None and mask is None:
            mask = torch.eye(batch_size, device=device)
        elif labels is not None:
            labels = labels.contiguous().view(-1, 1)
            if labels.shape[0] != batch_size:
                raise ValueError("Num of labels does not match num of features")
            mask = torch.eq(labels, labels.T).float().to(device)
        else:
            mask = mask.float().to(device)

        contrast_feature = torch.cat(torch.unbind(features, dim=1), dim=0)
        if self.contrast_mode == "one":
            anchor_feature = features[:, 0]
            anchor_count = 1
        elif self.contrast_mode == "all":
            anchor_feature = contrast_feature
            anchor_count = contrast_count
        else:
            raise ValueError("Unknown mode: {}".format(self.contrast_mode))

        logits = torch.matmul(anchor_feature, contrast_feature.T) / self.temperature
        # for numerical stability
        logits = logits - logits.max(dim=1, keepdim=True)[0].detach()

        # tile mask and mask-out self-contrast cases
        mask = mask.repeat(anchor_count, contrast_count)
        n = batch_size * anchor_count
        logits_mask = torch.ones_like(mask)
        logits_mask[torch.arange(n), torch.arange(n)] = 0
        mask = mask * logits_mask

        exp_logits = torch.exp(logits) * logits_mask
        log_prob = logits - torch.log(exp_logits.sum(1, keepdim=True) + 1e-12)

        # mean of log-likelihood over the positives of each anchor
        mean_log_prob_pos = (mask * log_prob).sum(1) / mask.sum(1)
        loss = -(self.temperature / self.base_temperature) * mean_log_prob_pos
        return loss.mean()
