import torch


def make_example():
    torch.manual_seed(0)
    b, t, v = 3, 14, 40
    pc = torch.randn(b, t, v).requires_grad_()
    pr = torch.randn(b, t, v).requires_grad_()
    rc, rr = torch.randn(b, t, v), torch.randn(b, t, v)
    chosen = torch.randint(1, v, (b, t))
    rejected = torch.randint(1, v, (b, t))
    lc, lr = torch.tensor([14, 9, 11]), torch.tensor([10, 14, 8])
    cm = (torch.arange(t)[None] < lc[:, None]).long()
    rm = (torch.arange(t)[None] < lr[:, None]).long()
    prompt = torch.tensor([4, 3, 5])
    return pc, pr, rc, rr, chosen * cm, rejected * rm, cm, rm, prompt
