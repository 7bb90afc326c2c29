import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalLMLossWithZ(nn.Module):
    """Next-token loss with the auxiliary z-loss of PaLM.

    Args:
        z_coef: weight of mean(log(Z)^2), which keeps the logits from drifting.
        ignore_index: label of tokens without a loss.
    logits (B, T, V), labels (B, T) not shifted. Returns (loss, ce, z) with
    means over the predicted tokens of the batch.
    """

    def __init__(self, z_coef=1e-4, ignore_index=-100):
        super().__init__()
        self.z_coef = z_coef
        self.ignore_index = ignore_index

    def forward(self, logits, labels):
        logits = logits[:, :-1].float()
        labels = labels[:, 1:]
        keep = labels != self.ignore_index
        n = keep.sum().clamp(min=1)

        log_z = torch.logsumexp(logits, dim=-1)
        ce = F.cross_entropy(
            logits.transpose(1, 2), labels, ignore_index=self.ignore_index, reduction="sum"
        ) / n
        z = (log_z.pow(2) * keep).sum() / n
        return ce + self.z_coef * z, ce.detach(), z.detach()
