import torch


def masked_mse(warped, fixed, mask):
    """Mean squared error inside the region of interest only.

    warped, fixed: images (B, 1, H, W)
    mask: 1 inside the ROI, 0 outside, same shape
    """
    loss = (warped - fixed) ** 2
    loss = loss * mask
    return torch.mean(loss)
