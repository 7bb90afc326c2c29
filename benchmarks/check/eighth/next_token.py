import torch
import torch.nn as nn
import torch.nn.functional as F


class NextTokenLoss(nn.Module):
    """Language modeling loss for a decoder-only model.

    The scores at position t are compared with the token at t + 1. Targets
    that are padding (attention mask 0) or lie in the prompt (the first
    ``prompt_len`` tokens of the row) are not scored. The loss is the mean over
    all scored tokens of the batch, 0 if there are none.

    Args:
        z_coef: coefficient of the optional z-loss, the mean squared logsumexp
            of the scores at the same positions.
    """

    def __init__(self, z_coef: float = 0.0):
        super().__init__()
        self.z_coef = z_coef

    def forward(self, logits: torch.Tensor, input_ids: torch.Tensor, attention_mask: torch.Tensor,
                prompt_len: torch.Tensor) -> torch.Tensor:
        """logits: (B, T, V), input_ids and attention_mask: (B, T), prompt_len: (B,)."""
        scores, labels = logits[:, :-1], input_ids[:, 1:]
        position = torch.arange(1, input_ids.size(1), device=input_ids.device)
        scored = attention_mask[:, 1:].bool() & (position >= prompt_len[:, None])

        scores, labels = scores[scored], labels[scored]
        count = max(labels.numel(), 1)
        loss = F.cross_entropy(scores, labels, reduction="sum") / count
        if self.z_coef:
            loss = loss + self.z_coef * scores.logsumexp(-1).square().sum() / count
        return loss
