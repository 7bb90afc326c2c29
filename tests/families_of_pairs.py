"""Losses of two networks, images, sets or boxes: the code, a slip in it, and the family."""

OF_PAIRS = {
    "hsic_loss": (
        """
def hsic_loss(x, y, sigma=1.0):
    n = len(x)
    center = torch.eye(n, dtype=x.dtype) - 1 / n
    k = torch.exp(-torch.cdist(x, x).square() / (2 * sigma**2))
    other = torch.exp(-torch.cdist(y, y).square() / (2 * sigma**2))
    return torch.trace(k @ center @ other @ center) / (n - 1) ** 2
""",
        ("k @ center @ other @ center", "k @ center @ other @ k"),
        "the Hilbert-Schmidt criterion",
    ),
    "local_ncc": (
        """
def local_ncc(moving, fixed, window=3):
    def mean(x):
        return F.avg_pool2d(x, window, stride=1)

    cross = mean(moving * fixed) - mean(moving) * mean(fixed)
    a = mean(moving * moving) - mean(moving) ** 2
    b = mean(fixed * fixed) - mean(fixed) ** 2
    return -(cross**2 / (a * b + 1e-5)).mean()
""",
        ("mean(moving * fixed) - ", "mean(moving * fixed) + "),
        "the normalized cross correlation",
    ),
    "co_teaching_loss": (
        """
def co_teaching_loss(logits1, logits2, labels, forget_rate):
    errors = [F.cross_entropy(x, labels, reduction="none") for x in (logits1, logits2)]
    kept = int((1 - forget_rate) * len(labels))
    first, second = (each.argsort()[:kept] for each in errors)
    return errors[0][second].mean() + errors[1][first].mean()
""",
        ("errors[0][second].mean() + errors[1][first]", "errors[0][second].mean() + errors[1][second]"),
        "the loss of co-teaching",
    ),
    "jocor_loss": (
        """
def jocor_loss(logits1, logits2, labels, forget_rate, co_lambda=0.1):
    p, q = logits1.log_softmax(1), logits2.log_softmax(1)
    apart = F.nll_loss(p, labels, reduction="none") + F.nll_loss(q, labels, reduction="none")
    together = F.kl_div(p, q.exp(), reduction="none").sum(1) + F.kl_div(q, p.exp(), reduction="none").sum(1)
    each = (1 - co_lambda) * apart + co_lambda * together
    return each[each.detach().argsort()[: int((1 - forget_rate) * len(labels))]].mean()
""",
        ("F.kl_div(q, p.exp(), ", "F.kl_div(q, q.exp(), "),
        "the loss of co-regularized peers",
    ),
    "chamfer_loss": (
        """
def chamfer_loss(x, y, x_lengths, y_lengths):
    inside = torch.arange(x.shape[1])[None] < x_lengths[:, None]
    other = torch.arange(y.shape[1])[None] < y_lengths[:, None]
    d = (x[:, :, None] - y[:, None]).square().sum(3)
    forth = d.masked_fill(~other[:, None, :], 1e9).amin(2) * inside
    back = d.masked_fill(~inside[:, :, None], 1e9).amin(1) * other
    return (forth.sum(1) / x_lengths + back.sum(1) / y_lengths).mean()
""",
        (".amin(2) * inside", ".amax(2) * inside"),
        "the Chamfer distance of padded clouds",
    ),
    "masked_chamfer_loss": (
        """
def masked_chamfer_loss(pred, gt, pred_mask, gt_mask):
    d = torch.cdist(pred, gt).square()
    forth = d.masked_fill(~gt_mask.bool()[:, None, :], 1e9).amin(2) * pred_mask
    back = d.masked_fill(~pred_mask.bool()[:, :, None], 1e9).amin(1) * gt_mask
    return forth.sum() / pred_mask.sum() + back.sum() / gt_mask.sum()
""",
        ("amin(1) * gt_mask", "amax(1) * gt_mask"),
        "the Chamfer distance of masked clouds",
    ),
    "balanced_l1_loss": (
        """
def balanced_l1_loss(pred, target, alpha=0.5, gamma=1.5, beta=1.0):
    d = (pred - target).abs()
    b = math.exp(gamma / alpha) - 1
    inside = alpha / b * (b * d + 1) * torch.log(b * d / beta + 1) - alpha * d
    return torch.where(d < beta, inside, gamma * d + gamma / b - alpha * beta).mean()
""",
        ("(b * d + 1) * torch", "(b * d - 1) * torch"),
        "the balanced L1 loss",
    ),
    "multibox_loss": (
        """
def multibox_loss(confidence, labels, neg_pos_ratio=3):
    errors = F.cross_entropy(confidence.transpose(1, 2), labels, reduction="none")
    positive = labels > 0
    hardness = errors.detach().masked_fill(positive, -math.inf)
    ranks = hardness.argsort(1, descending=True).argsort(1)
    negative = ranks < neg_pos_ratio * positive.sum(1, keepdim=True)
    kept = positive | (negative & ~positive)
    return errors[kept].sum() / positive.sum()
""",
        ("argsort(1, descending=True)", "argsort(1, descending=False)"),
        "the loss of classes with hard negatives",
    ),
    "quaternion_loss": (
        """
def quaternion_loss(q_pred, q_gt):
    q_pred = F.normalize(q_pred, dim=1)
    return (1 - (q_pred * q_gt).sum(1).abs()).mean()
""",
        ("dim=1)\n", "dim=0)\n"),
        "the distance of quaternions",
    ),
    "discriminative_loss": (
        """
def discriminative_loss(embeddings, labels, delta_v=0.5, delta_d=1.5):
    total = 0
    for x, y in zip(embeddings, labels):
        means = torch.stack([x[:, y == k].mean(1) for k in y.unique()])
        pull = torch.stack([F.relu((x[:, y == k] - means[n][:, None]).norm(dim=0) - delta_v).square().mean()
                            for n, k in enumerate(y.unique())]).mean()
        push = F.relu(2 * delta_d - torch.pdist(means)).square().mean()
        total = total + pull + push
    return total / len(embeddings)
""",
        ("2 * delta_d - torch", "2 * delta_v - torch"),
        "the discriminative loss of images",
    ),
    "adaptive_wing_of_joints": (
        """
def adaptive_wing_of_joints(pred, target, weights, omega=14.0, theta=0.5, epsilon=1.0, alpha=2.1):
    power = alpha - target
    d = (target - pred).abs()
    a = omega / (1 + (theta / epsilon) ** power) * power * (theta / epsilon) ** (power - 1) / epsilon
    c = theta * a - omega * torch.log(1 + (theta / epsilon) ** power)
    each = torch.where(d < theta, omega * torch.log(1 + (d / epsilon) ** power), a * d - c)
    return (each * weights[:, :, None, None]).mean()
""",
        ("d = (target - pred)", "d = (target + pred)"),
        "the adaptive wing loss of weighted joints",
    ),
    "hinge_loss_of_gan": (
        """
def hinge_loss_of_gan(fake, real=None):
    if real is None:
        return -fake.mean()
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
""",
        ("F.relu(1 + fake)", "F.relu(1 - fake)"),
        "the hinge losses of a critic and a generator",
    ),
    "focal_loss": (
        '''
def focal_loss(logits, labels, alpha=0.25, gamma=2.0):
    """Focal loss; alpha is the weight of the positive class."""
    log_p = logits.log_softmax(1).gather(1, labels[:, None]).squeeze(1)
    weight = torch.tensor([1 - alpha, alpha], dtype=logits.dtype)[labels]
    return -(weight * (1 - log_p.exp()) ** gamma * log_p).mean()
''',
        ("(1 - log_p.exp())", "(1 + log_p.exp())"),
        "the focal loss of two classes",
    ),
    "smoothness_loss": (
        """
def smoothness_loss(disparities, image):
    total = 0
    for n, d in enumerate(disparities):
        guide = F.interpolate(image, size=d.shape[2:], mode="area")
        x = d.diff(dim=3).abs() * torch.exp(-guide.diff(dim=3).abs().mean(1, keepdim=True))
        y = d.diff(dim=2).abs() * torch.exp(-guide.diff(dim=2).abs().mean(1, keepdim=True))
        total = total + (x.mean() + y.mean()) / 2**n
    return total
""",
        ("torch.exp(-guide.diff(dim=2)", "torch.exp(guide.diff(dim=2)"),
        "the edge-aware smoothness of several scales",
    ),
    "mae_pixel_loss": (
        """
def mae_pixel_loss(images, pred, mask, patch_size=2):
    \"\"\"Mean squared error of the removed patches; the mask is 1 where a patch is removed.\"\"\"
    n, c, h, w = images.shape
    p = patch_size
    y = images.reshape(n, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1).reshape(n, -1, p * p * c)
    each = (pred - y).square().mean(2)
    return (each * mask).sum() / mask.sum()
""",
        ("(each * mask).sum()", "(each * (1 - mask)).sum()"),
        "the loss of a masked autoencoder",
    ),
    "vicreg_of_views": (
        """
def vicreg_of_views(views_a, views_b):
    total = 0
    for a, b in zip(views_a, views_b):
        total = total + 25 * F.mse_loss(a, b)
        for z in (a, b):
            total = total + 25 * F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean()
            z = z - z.mean(0)
            c = z.T @ z / (len(z) - 1)
            total = total + (c.square().sum() - c.diagonal().square().sum()) / z.shape[1]
    return total / len(views_a)
""",
        ("1 - (z.var(0)", "1 + (z.var(0)"),
        "VICReg",
    ),
}
