import torch


def _rot(n):
    q, r = torch.linalg.qr(torch.randn(n, 3, 3))
    q = q * torch.sign(torch.diagonal(r, dim1=1, dim2=2)).unsqueeze(1)
    q[:, :, 0] = q[:, :, 0] * torch.det(q).unsqueeze(1)
    return q


def make_example():
    torch.manual_seed(0)
    return (_rot(6).requires_grad_(), torch.randn(6, 3).requires_grad_(),
            _rot(6), torch.randn(6, 3))
