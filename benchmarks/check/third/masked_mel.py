import torch
import torch.nn.functional as F


class MaskedL1(torch.nn.Module):
    """L1 between mel spectrograms, frames behind the utterance end are not counted.

    x, target: (B, n_mels, T), lens: (B,) number of frames
    """

    def forward(self, x, target, lens):
        max_len = target.size(1)
        mask = self.mask_from_lens(lens, max_len)
        mask = mask.unsqueeze(2).expand_as(x).to(x.dtype)
        loss = F.l1_loss(x * mask, target * mask, reduction='sum')
        return loss / mask.sum()

    @staticmethod
    def mask_from_lens(lens, max_len):
        ids = torch.arange(0, max_len, device=lens.device)
        return ids.unsqueeze(0) < lens.unsqueeze(1)
