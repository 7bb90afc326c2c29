import torch


def make_example():
    torch.manual_seed(0)
    student = torch.randn(8, 10, requires_grad=True)
    teacher = torch.randn(8, 10)
    labels = torch.randint(0, 10, (8,))
    return student, teacher, labels
