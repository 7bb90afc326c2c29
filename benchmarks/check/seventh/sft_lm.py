import torch.nn as nn
import torch.nn.functional as F


class CausalLMLoss(nn.Module):
    """Next token prediction loss for supervised fine tuning.

    ``labels`` are the input ids with the prompt and the padding set to
    ``ignore_index``; the shift by one position happens here.

    Args:
        ignore_index: label which does not contribute.
        z_loss: weight of the log(Z)^2 regulariser of the softmax normaliser.
    """

    def __init__(self, ignore_index=-100, z_loss=0.0):
        super().__init__()
        self.ignore_index = ignore_index
        self.z_loss = z_loss

    def forward(self, logits, labels, num_items_in_batch=None):
        """
        logits: (B, T, V), labels: (B, T)
        num_items_in_batch: number of target tokens of the whole accumulated
            batch; the tokens of this micro batch if not given.
        """
        logits = logits.float()
        shift_logits = logits[:, :-1, :].reshape(-1, logits.shape[-1])
        shift_labels = labels[:, 1:].reshape(-1)
        valid = shift_labels != self.ignore_index

        loss = F.cross_entropy(
            shift_logits, shift_labels, ignore_index=self.ignore_index, reduction="sum")
        if self.z_loss > 0:
            log_z = shift_logits.logsumexp(dim=-1)
            loss = loss + self.z_loss * (log_z.pow(2) * valid).sum()

        if num_items_in_batch is None:
            num_items_in_batch = valid.sum().clamp(min=1)
        return loss / num_items_in_batch
