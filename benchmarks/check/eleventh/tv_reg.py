def total_variation_loss(x):
    """Smoothness prior for style transfer.

    x: (B, C, H, W). Mean squared difference of vertical neighbours plus mean
    squared difference of horizontal neighbours.
    """
    b, c = x.shape[0], x.shape[1]
    h, w = x.shape[2], x.shape[2]
    count_h = max(b * c * (h - 1) * w, 1)
    count_w = max(b * c * h * (w - 1), 1)
    h_tv = (x[:, :, 1:, :] - x[:, :, :-1, :]).pow(2).sum()
    w_tv = (x[:, :, :, 1:] - x[:, :, :, :-1]).pow(2).sum()
    return h_tv / count_h + w_tv / count_w
