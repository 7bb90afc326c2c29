import torch


def total_variation(img, p=1):
    """Anisotropic total variation."""
    dh = img[..., 1:, :] - img[..., :-1, :]
    dw = img[..., :, 1:] - img[..., :, :-1]
    if p == 1:
        return dh.abs().mean() + dw.abs().mean()
    if p == 2:
        return dh.pow(2).mean() + dw.pow(2).mean()
    raise ValueError("p must be 1 or 2")
