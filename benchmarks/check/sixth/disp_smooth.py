import torch
import torch.nn.functional as F


def gradient_x(img):
    return img[:, :, :, :-1] - img[:, :, :, 1:]


def gradient_y(img):
    return img[:, :, :-1, :] - img[:, :, 1:, :]


def scale_pyramid(img, num_scales):
    h, w = img.shape[2:]
    scaled = [img]
    for i in range(1, num_scales):
        r = 2 ** i
        scaled.append(F.interpolate(img, size=(h // r, w // r), mode='area'))
    return scaled


def get_disparity_smoothness(disp, pyramid):
    """Edge-aware first order smoothness terms in x and y for every scale."""
    weights_x = [torch.exp(-gradient_x(im).abs().mean(1, keepdim=True)) for im in pyramid]
    weights_y = [torch.exp(-gradient_y(im).abs().mean(1, keepdim=True)) for im in pyramid]

    smoothness_x = [gradient_x(d) * w for d, w in zip(disp, weights_x)]
    smoothness_y = [gradient_y(d) * w for d, w in zip(disp, weights_y)]
    return smoothness_x + smoothness_y


def disparity_smoothness_loss(disp, image):
    """
    Smoothness regulariser of unsupervised monocular depth: disparities should be
    locally smooth (L1 on both image gradients of the disparity), except at image edges.

    disp: list of (B, 1, H / 2^i, W / 2^i) disparity maps, finest first
    image: (B, 3, H, W)
    """
    num_scales = len(disp)
    smoothness = get_disparity_smoothness(disp, scale_pyramid(image, num_scales))
    loss = 0.
    for i in range(num_scales):
        loss = loss + smoothness[i].abs().mean() / 2 ** i
    return loss
