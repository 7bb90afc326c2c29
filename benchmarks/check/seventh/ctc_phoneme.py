import torch.nn as nn
import torch.nn.functional as F


class PhonemeCTCLoss(nn.Module):
    """Auxiliary CTC loss on the frame level phoneme predictions of an aligner.

    Args:
        ph_frame_logits: (B, T, P) output of the phoneme head.
        ph_ids: (B, L) phoneme targets, 0 is the blank / padding.
        mel_lengths: (B,) number of valid frames.
        ph_lengths: (B,) number of phonemes.
    """

    def __init__(self, blank=0, weight=1.0):
        super().__init__()
        self.blank = blank
        self.weight = weight

    def forward(self, ph_frame_logits, ph_ids, mel_lengths, ph_lengths):
        # ctc_loss wants (T, B, P)
        ph_frame_logits = ph_frame_logits.transpose(0, 1).float()
        loss = F.ctc_loss(
            ph_frame_logits,
            ph_ids,
            mel_lengths,
            ph_lengths,
            blank=self.blank,
            reduction="mean",
            zero_infinity=True,
        )
        return self.weight * loss
