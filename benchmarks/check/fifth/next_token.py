import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalLMLoss(nn.Module):
    """Next-token cross entropy.

    ``labels`` are the input ids, with -100 at the positions that should not be
    predicted (prompt, padding); position t of the logits predicts label t + 1.

    Args:
        pad_token_id: id of the padding token of the tokenizer.
    """

    def __init__(self, pad_token_id=1, ignore_index=-100):
        super().__init__()
        self.pad_token_id = pad_token_id
        self.ignore_index = ignore_index

    def forward(self, logits, labels):
        # logits: (B, T, V), labels: (B, T)
        vocab_size = logits.shape[-1]
        shift_labels = labels.new_zeros(labels.shape)
        shift_labels[:, :-1] = labels[:, 1:]
        shift_labels[:, -1] = self.pad_token_id

        loss = F.cross_entropy(
            logits.reshape(-1, vocab_size).float(),
            shift_labels.reshape(-1),
            ignore_index=self.ignore_index,
            reduction="sum",
        )
        num_tokens = (shift_labels != self.ignore_index).sum().clamp(min=1)
        return loss / num_tokens
