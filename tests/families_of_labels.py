"""Losses of classes, tokens and labelled batches, each with one slip."""

# The code of a loss, what a slip changes in it, and the family that it is compared with.
OF_LABELS = {
    "class_balanced_loss": (
        """
def class_balanced_loss(logits, labels, counts=(100, 20, 5), beta=0.99):
    n = torch.tensor(counts, dtype=logits.dtype)
    w = (1 - beta) / (1 - beta**n)
    return F.cross_entropy(logits, labels, weight=w)
""",
        ("(1 - beta) / (1 - beta**n)", "(1 - beta) * (1 - beta**n)"),
        "the class-balanced cross entropy",
    ),
    "balanced_softmax": (
        """
def balanced_softmax(logits, labels, counts=(100, 20, 5)):
    return F.cross_entropy(logits + torch.tensor(counts, dtype=logits.dtype).log(), labels)
""",
        ("logits + ", "logits - "),
        "the cross entropy with adjusted logits",
    ),
    "LDAM": (
        """
class LDAM(nn.Module):
    def __init__(self, counts=(100, 20, 5), max_m=0.5, s=30.0):
        super().__init__()
        m = torch.tensor(counts, dtype=torch.float64) ** -0.25
        self.m, self.s = m * max_m / m.max(), s

    def forward(self, x, target):
        margin = F.one_hot(target, 3) * self.m
        return F.cross_entropy(self.s * (x - margin), target)
""",
        ("x - margin", "x + margin"),
        "the LDAM loss",
    ),
    "focal_loss": (
        """
def focal_loss(logits, labels, alpha=(0.2, 0.3, 0.5), gamma=2.0):
    right = logits.log_softmax(1).gather(1, labels[:, None]).squeeze(1)
    w = torch.tensor(alpha, dtype=logits.dtype)[labels]
    return -(w * (1 - right.exp()) ** gamma * right).mean()
""",
        ("(1 - right.exp())", "right.exp()"),
        "the focal loss of weighted classes",
    ),
    "ohem_ce": (
        """
def ohem_ce(logits, labels, thresh=0.7, n_min=4):
    loss = F.cross_entropy(logits, labels, reduction="none").flatten()
    hard = loss[loss > -math.log(thresh)]
    return hard.mean() if len(hard) >= n_min else loss.topk(n_min).values.mean()
""",
        ("loss > -", "loss < -"),
        "the cross entropy of the hard elements",
    ),
    "edl_loss": (
        """
def edl_loss(logits, labels):
    alpha = F.softplus(logits) + 1
    y = F.one_hot(labels, 3)
    return (y * (torch.digamma(alpha.sum(1, keepdim=True)) - torch.digamma(alpha))).sum(1).mean()
""",
        ("F.softplus(logits) + 1", "F.softplus(logits)"),
        "the evidential classification loss",
    ),
    "masked_lm_loss": (
        """
def masked_lm_loss(logits, labels, mask):
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (nll * mask).sum() / mask.sum()
""",
        ("/ mask.sum()", "/ labels.sum()"),
        "the cross entropy of the tokens under a mask",
    ),
    "seq_nll": (
        '''
def seq_nll(logits, target, lengths):
    """Mean over the tokens within the lengths."""
    nll = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    return nll[mask].mean()
''',
        (" < lengths", " <= lengths"),
        "the cross entropy of the tokens within lengths",
    ),
    "label_smoothed_nll": (
        """
def label_smoothed_nll(logp, target, eps=0.1, ignore_index=0):
    keep = target != ignore_index
    nll = -logp.gather(-1, target[..., None]).squeeze(-1)
    smooth = -logp.mean(-1)
    return ((1 - eps) * nll + eps * smooth)[keep].mean()
""",
        ("-logp.mean(-1)", "-logp.sum(-1)"),
        "the smoothed cross entropy of tokens",
    ),
    "lm_loss_with_z_loss": (
        """
def lm_loss_with_z_loss(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    z = logits.logsumexp(-1)
    nll = z - logits.gather(-1, labels[..., None]).squeeze(-1)
    return nll.mean() + 0.1 * z.square().mean()
""",
        ("z.square()", "z.abs()"),
        "the cross entropy with a z-loss",
    ),
    "seg_cross_entropy": (
        '''
def seg_cross_entropy(logits, target, ignore_index=255):
    """Averaged over the labelled pixels."""
    loss = F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    return loss.sum() / (target != ignore_index).sum()
''',
        ("(target != ignore_index)", "(target == ignore_index)"),
        "the cross entropy of labelled pixels",
    ),
    "batch_all_triplet": (
        """
def batch_all_triplet(embeddings, labels, margin=0.3):
    d = (embeddings[:, None] - embeddings[None]).square().sum(2)
    same = labels[:, None] == labels
    pos = same & ~torch.eye(len(labels), dtype=torch.bool)
    valid = pos[:, :, None] & ~same[:, None]
    each = F.relu(d[:, :, None] - d[:, None] + margin)[valid]
    return each.mean()
""",
        ("d[:, :, None] - d[:, None]", "d[:, None] - d[:, :, None]"),
        "the triplet loss of a labelled batch",
    ),
    "circle_loss": (
        """
def circle_loss(feats, labels, m=0.25, gamma=8.0):
    feats = F.normalize(feats)
    s = feats @ feats.T
    same = labels[:, None] == labels
    sp, sn = s[same.triu(1)], s[(~same).triu(1)]
    ap, an = F.relu(1 + m - sp.detach()), F.relu(sn.detach() + m)
    far = (an * (sn - m) * gamma).logsumexp(0)
    near = (-ap * (sp - 1 + m) * gamma).logsumexp(0)
    return F.softplus(far + near)
""",
        ("(sp - 1 + m)", "(sp - 1 - m)"),
        "the circle loss of a labelled batch",
    ),
    "multi_similarity_loss": (
        """
def multi_similarity_loss(feats, labels, alpha=2.0, beta=10.0, base=0.5):
    feats = F.normalize(feats)
    s = feats @ feats.T
    same = labels[:, None] == labels
    pos = same & ~torch.eye(len(labels), dtype=torch.bool)
    near = (torch.exp(-alpha * (s - base)) * pos).sum(1)
    far = (torch.exp(beta * (s - base)) * ~same).sum(1)
    return (torch.log1p(near) / alpha + torch.log1p(far) / beta).mean()
""",
        ("torch.log1p(far) / beta", "torch.log1p(far) / alpha"),
        "the multi-similarity loss",
    ),
    "ProxyNCA": (
        """
class ProxyNCA(nn.Module):
    def __init__(self, num_classes=3, dim=4, scale=3.0):
        super().__init__()
        self.proxies, self.scale = nn.Parameter(torch.randn(num_classes, dim)), scale

    def forward(self, x, labels):
        x, p = F.normalize(x), F.normalize(self.proxies)
        return F.cross_entropy(-self.scale * torch.cdist(x, p).square(), labels)
""",
        ("F.normalize(self.proxies)", "F.normalize(self.proxies, dim=0)"),
        "the proxy NCA loss",
    ),
    "ProxyAnchor": (
        """
class ProxyAnchor(nn.Module):
    def __init__(self, num_classes=3, dim=4, margin=0.1, alpha=32.0):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(num_classes, dim))
        self.margin, self.alpha = margin, alpha

    def forward(self, x, labels):
        cos = F.normalize(x) @ F.normalize(self.proxies).T
        own = F.one_hot(labels, len(self.proxies))
        near = (torch.exp(-self.alpha * (cos - self.margin)) * own).sum(0)
        far = (torch.exp(self.alpha * (cos + self.margin)) * (1 - own)).sum(0)
        return torch.log1p(near).sum() / (own.sum(0) > 0).sum() + torch.log1p(far).mean()
""",
        ("(cos - self.margin)", "(cos + self.margin)"),
        "the proxy anchor loss",
    ),
}
