import torch


def make_example():
    torch.manual_seed(0)
    u = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    points = torch.rand(30, 2)
    bc_points = torch.cat([torch.rand(10, 1), torch.zeros(10, 1)], dim=1)
    bc_values = torch.sin(3.14159 * bc_points[:, :1])
    return u, points, bc_points, bc_values
