import torch


def make_example():
    torch.manual_seed(0)
    teacher_out = 2 * torch.randn(8, 10)
    student_out = torch.randn(8, 10, requires_grad=True)
    labels = torch.randint(0, 10, (8,))
    return teacher_out, student_out, labels
