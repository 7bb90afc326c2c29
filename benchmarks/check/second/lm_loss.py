import torch
import torch.nn.functional as F


def next_token_loss(logits, input_ids, ignore_index=-100):
    """Next-token cross entropy."""
    log_probs = torch.log_softmax(logits[:, :-1], dim=-1)
    targets = input_ids[:, 1:]
    # log_softmax is idempotent, so cross_entropy on log probabilities is fine
    loss = F.cross_entropy(
        log_probs.reshape(-1, logits.size(-1)),
        targets.reshape(-1),
        ignore_index=ignore_index,
        reduction="sum",
    )
    return loss / (targets != ignore_index).sum().clamp(min=1)
