import torch


def make_batch():
    torch.manual_seed(125)
    conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def net(x, sigma, labels=None):
        c_skip = 0.25 / (sigma ** 2 + 0.25)
        c_out = sigma * 0.5 / (sigma ** 2 + 0.25).sqrt()
        return c_skip * x + c_out * conv(x / (sigma ** 2 + 0.25).sqrt())

    images = torch.rand(4, 3, 16, 16) * 2 - 1
    return net, images, None, torch.randn(4, 1, 1, 1), torch.randn(4, 3, 16, 16)
