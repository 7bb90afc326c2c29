import torch


def make_batch():
    g = torch.Generator().manual_seed(145)
    student = torch.randn(8, 10, generator=g)
    teacher = torch.randn(8, 10, generator=g) * 3
    labels = torch.randint(0, 10, (8,), generator=g)
    return student, teacher, labels
