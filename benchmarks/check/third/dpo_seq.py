import torch
import torch.nn.functional as F

IGNORE_ID = -100


def _token_logps(logits, target, mask):
    index = target.masked_fill(~mask, 0).unsqueeze(-1)
    return torch.gather(logits.log_softmax(dim=-1), 2, index).squeeze(-1)


def dpo_loss(chosen_logits, rejected_logits, chosen_target, rejected_target,
             ref_chosen_logps, ref_rejected_logps, beta=0.1):
    """
    DPO on padded batches, logits (B, T, V) already aligned with the targets (B, T);
    prompt and padding positions of a target are IGNORE_ID.
    ref_*_logps: (B,) summed log-probs of the frozen reference model
    """
    chosen_mask = chosen_target != IGNORE_ID
    rejected_mask = rejected_target != IGNORE_ID

    chosen_logps = _token_logps(chosen_logits, chosen_target, chosen_mask)
    rejected_logps = _token_logps(rejected_logits, rejected_target, rejected_mask)
    chosen_logps = (chosen_logps * chosen_mask).sum(dim=-1)
    rejected_logps = (rejected_logps * chosen_mask).sum(dim=-1)

    logits = (chosen_logps - rejected_logps) - (ref_chosen_logps - ref_rejected_logps)
    return -F.logsigmoid(beta * logits).mean()
