import torch


def make_example():
    torch.manual_seed(0)
    b, a = 32, 6
    logits = torch.randn(b, a).requires_grad_()
    values = torch.randn(b).requires_grad_()
    actions = torch.randint(0, a, (b,))
    old_logp = torch.log_softmax(logits.detach() + 0.2 * torch.randn(b, a), 1)
    old_logp = old_logp[torch.arange(b), actions]
    old_values = values.detach() + 0.4 * torch.randn(b)
    adv = torch.randn(b)
    ret = old_values + torch.randn(b)
    return logits, values, actions, old_logp, old_values, adv, ret
