import torch
import torch.nn as nn


class LabelSmoothedNLL(nn.Module):
    """(1 - eps) * NLL + eps / V * sum of -log p over the vocabulary, padding excluded,
    averaged over the target tokens.

    logits: (B, T, V), labels: (B, T) with pad_id on padded positions
    """

    def __init__(self, epsilon=0.1, pad_id=0):
        super().__init__()
        self.epsilon = epsilon
        self.pad_id = pad_id

    def forward(self, logits, labels):
        log_probs = -nn.functional.log_softmax(logits, dim=-1)
        labels = labels.unsqueeze(-1)
        padding_mask = labels.eq(self.pad_id)
        nll_loss = log_probs.gather(dim=-1, index=labels)
        smoothed_loss = log_probs.sum(dim=-1, keepdim=True)

        nll_loss = nll_loss.masked_fill(padding_mask, 0.0)

        num_active_elements = (padding_mask.numel() - padding_mask.long().sum()).clamp(min=1)
        nll_loss = nll_loss.sum() / num_active_elements
        smoothed_loss = smoothed_loss.sum() / (num_active_elements * log_probs.shape[-1])
        return (1 - self.epsilon) * nll_loss + self.epsilon * smoothed_loss
