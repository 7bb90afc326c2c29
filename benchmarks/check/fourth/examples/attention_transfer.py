import torch


def make_batch():
    g = torch.Generator().manual_seed(146)
    student = [torch.randn(2, 8, 8, 8, generator=g), torch.randn(2, 16, 4, 4, generator=g)]
    teacher = [torch.randn(2, 32, 16, 16, generator=g), torch.randn(2, 64, 4, 4, generator=g)]
    return student, teacher
