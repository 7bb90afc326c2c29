import torch.nn as nn
import torch.nn.functional as F


class CausalLMLoss(nn.Module):
    """Next-token cross entropy.

    logits: (B, T, V); labels: (B, T), the input ids themselves (not shifted), -100 where padded.
    The logits at position t are scored against the token at position t + 1.
    """

    ignore_index = -100

    def token_loss(self, logits, labels):
        logits = logits[:, :-1].reshape(-1, logits.size(-1))
        labels = labels[:, 1:].reshape(-1)
        total = F.cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="sum")
        return total / (labels != self.ignore_index).sum().clamp(min=1)

    def forward(self, logits, labels):
        shift_logits = logits[..., :-1, :].contiguous()
        shift_labels = labels[..., 1:].contiguous()
        return self.token_loss(shift_logits, shift_labels)
