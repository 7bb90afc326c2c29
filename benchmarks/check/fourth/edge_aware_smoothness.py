import torch


def smoothness_loss(disp, img):
    """Edge-aware smoothness of a disparity map (Godard et al.).

    disp: (N, 1, H, W), positive; img: (N, 3, H, W) in [0, 1]
    """
    mean = disp.mean(dim=(2, 3), keepdim=True)
    d = disp / (mean + 1e-7)

    dx = (d[..., :, :-1] - d[..., :, 1:]).abs()
    dy = (d[..., :-1, :] - d[..., 1:, :]).abs()

    ix = (img[..., :, :-1] - img[..., :, 1:]).abs().mean(dim=1, keepdim=True)
    iy = (img[..., :-1, :] - img[..., 1:, :]).abs().mean(dim=1, keepdim=True)

    return (dx * torch.exp(-ix)).mean() + (dy * torch.exp(-iy)).mean()
