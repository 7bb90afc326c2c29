import torch


def make_batch():
    g = torch.Generator().manual_seed(10)
    B, T, V = 3, 14, 50
    prompt_lens = [4, 6, 5]
    ids = torch.randint(1, V, (2 * B, T), generator=g)
    attn = torch.ones(2 * B, T, dtype=torch.long)
    for i, n in enumerate([12, 14, 9, 10, 13, 14]):
        attn[i, n:] = 0
        ids[i, n:] = 0
        ids[i, :prompt_lens[i % B]] = ids[i % B, :prompt_lens[i % B]]
    policy = torch.randn(2 * B, T, V, generator=g)
    reference = policy + 0.3 * torch.randn(2 * B, T, V, generator=g)
    return policy, reference, ids, attn, prompt_lens
