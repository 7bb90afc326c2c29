import torch
import torch.nn as nn
import torch.nn.functional as F


class DPOLoss(nn.Module):
    """Direct Preference Optimization (https://arxiv.org/abs/2305.18290).

    Works on the raw logits of the policy and of the frozen reference model.
    Batches are right padded to the longest sequence; ``prompt_lengths`` is
    the number of prompt tokens of each pair (shared by both completions).

    Args:
        beta: strength of the implicit KL penalty.
        label_smoothing: conservative DPO noise level in [0, 0.5).
    """

    def __init__(self, beta=0.1, label_smoothing=0.0):
        super().__init__()
        self.beta = beta
        self.label_smoothing = label_smoothing
        self.metrics = {}

    @staticmethod
    def get_log_prob(logits, input_ids, attention_mask, prompt_lengths):
        """Summed log probability of the response tokens, shape (B,)."""
        # logits at t predict token t + 1
        log_probs = F.log_softmax(logits[:, :-1, :].float(), dim=-1)
        labels = input_ids[:, 1:]
        token_log_probs = torch.gather(log_probs, 2, labels.unsqueeze(-1)).squeeze(-1)

        # only the response counts
        seq_len = input_ids.shape[1]
        positions = torch.arange(seq_len, device=input_ids.device).unsqueeze(0)
        response_mask = positions >= prompt_lengths.unsqueeze(1)
        response_mask = response_mask[:, 1:].to(token_log_probs.dtype)

        lengths = attention_mask.sum(dim=1) - prompt_lengths
        return (token_log_probs * response_mask).sum(dim=1), lengths

    def forward(self, policy_chosen_logits, policy_rejected_logits,
                ref_chosen_logits, ref_rejected_logits,
                chosen_ids, rejected_ids, chosen_mask, rejected_mask,
                prompt_lengths):
        pi_w, len_w = self.get_log_prob(
            policy_chosen_logits, chosen_ids, chosen_mask, prompt_lengths)
        pi_l, len_l = self.get_log_prob(
            policy_rejected_logits, rejected_ids, rejected_mask, prompt_lengths)
        with torch.no_grad():
            ref_w, _ = self.get_log_prob(
                ref_chosen_logits, chosen_ids, chosen_mask, prompt_lengths)
            ref_l, _ = self.get_log_prob(
                ref_rejected_logits, rejected_ids, rejected_mask, prompt_lengths)

        chosen_rewards = self.beta * (pi_w - ref_w)
        rejected_rewards = self.beta * (pi_l - ref_l)
        margin = chosen_rewards - rejected_rewards

        losses = (-F.logsigmoid(margin) * (1 - self.label_smoothing)
                  - F.logsigmoid(-margin) * self.label_smoothing)

        self.metrics = {
            "accuracy": (margin.detach() > 0).float().mean(),
            "margin": margin.detach().mean(),
            "chosen_len": len_w.float().mean(),
            "rejected_len": len_l.float().mean(),
        }
        return losses.mean()
