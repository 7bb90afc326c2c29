import torch


def make_example():
    torch.manual_seed(0)
    logits = torch.randn(2, 9, 20, requires_grad=True)
    input_ids = torch.randint(0, 20, (2, 9))
    attention_mask = torch.ones(2, 9, dtype=torch.long)
    attention_mask[1, 7:] = 0
    prompt_len = torch.tensor([3, 2])
    return logits, input_ids, attention_mask, prompt_len
