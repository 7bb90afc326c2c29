import torch
import torch.nn as nn
import torch.nn.functional as F


class LMLoss(nn.Module):
    """Causal language modelling loss (next token prediction).

    lm_logits: (B, T, V) output of the decoder for the sequence input_ids
    input_ids: (B, T) the very tokens that were fed to the decoder
    """

    def __init__(self, ignore_index=-1):
        super().__init__()
        self.loss_fct = nn.CrossEntropyLoss(ignore_index=ignore_index)

    def forward(self, lm_logits, input_ids):
        vocab = lm_logits.size(-1)
        return self.loss_fct(lm_logits.reshape(-1, vocab), input_ids.reshape(-1))
