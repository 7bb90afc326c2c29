import torch
import torch.nn as nn
import torch.nn.functional as F


def _get_batch_logps(logits, labels, attention_mask, prompt_id_lens):
    """Sum of the log probabilities of the response tokens of each sequence.

    Args:
        logits: (2B, T, V)
        labels: (2B, T) token ids
        attention_mask: (2B, T), 1 for real tokens (right padded)
        prompt_id_lens: number of prompt tokens of the sequences
    """
    labels = labels[:, 1:].clone()
    logits = logits[:, :-1, :]

    loss_masks = attention_mask.clone().bool()
    # the prompt is conditioned on, not scored
    for mask, source_len in zip(loss_masks, prompt_id_lens):
        mask[:source_len] = False
    loss_masks = loss_masks[:, 1:]

    labels[~loss_masks] = 0
    per_token_logps = torch.gather(logits.log_softmax(-1), dim=2, index=labels.unsqueeze(2)).squeeze(2)
    return (per_token_logps * loss_masks).sum(-1)


class DPOLoss(nn.Module):
    """
    Direct preference optimisation on a concatenated batch: rows [0, B) hold prompt + chosen
    response, rows [B, 2B) hold the same prompts with the rejected responses.
    Only the responses are compared. `prompt_id_lens` has one entry for each of the B prompts.
    """

    def __init__(self, beta: float = 0.1, label_smoothing: float = 0.0):
        super().__init__()
        self.beta = beta
        self.label_smoothing = label_smoothing

    def forward(self, policy_logits, reference_logits, input_ids, attention_mask, prompt_id_lens):
        policy = _get_batch_logps(policy_logits, input_ids, attention_mask, prompt_id_lens)
        with torch.no_grad():
            reference = _get_batch_logps(reference_logits, input_ids, attention_mask, prompt_id_lens)

        policy_chosen, policy_rejected = policy.chunk(2)
        ref_chosen, ref_rejected = reference.chunk(2)
        logits = (policy_chosen - policy_rejected) - (ref_chosen - ref_rejected)
        losses = (
            -F.logsigmoid(self.beta * logits) * (1 - self.label_smoothing)
            - F.logsigmoid(-self.beta * logits) * self.label_smoothing
        )
        chosen_rewards = self.beta * (policy_chosen - ref_chosen).detach()
        rejected_rewards = self.beta * (policy_rejected - ref_rejected).detach()
        return losses.mean(), chosen_rewards, rejected_rewards
