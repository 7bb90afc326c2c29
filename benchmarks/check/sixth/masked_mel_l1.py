import torch
import torch.nn.functional as F


def sequence_mask(lens, max_len):
    rows = torch.arange(0, max_len, device=lens.device)[None, :]
    return rows < lens[:, None]


class MaskedL1(torch.nn.Module):
    """Mean absolute error over the valid frames of a batch of mel spectrograms.

    x, target: (batch, n_mels, max_frames), zero padded along the frames
    lens: (batch,) number of frames of each utterance
    """

    def forward(self, x, target, lens):
        max_len = target.size(1)
        mask = sequence_mask(lens, max_len)
        mask = mask.unsqueeze(2).expand_as(x).float()
        loss = F.l1_loss(x * mask, target * mask, reduction='sum')
        return loss / mask.sum().clamp(min=1)
