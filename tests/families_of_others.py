"""Losses of views, preferences, lists, graphs, masks and keypoints, each with one slip."""

# The code of a loss, what a slip changes in it, and the family that it is compared with.
OF_OTHERS = {
    "moco_loss": (
        """
def moco_loss(q, k, queue, temperature=0.07):
    q, k = F.normalize(q), F.normalize(k)
    near = (q * k).sum(1, keepdim=True)
    logits = torch.cat([near, q @ queue], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))
""",
        ("(q * k)", "(q + k)"),
        "InfoNCE with a queue",
    ),
    "DINOLoss": (
        """
class DINOLoss(nn.Module):
    def __init__(self, student_temp=0.1, teacher_temp=0.04):
        super().__init__()
        self.student_temp, self.teacher_temp = student_temp, teacher_temp

    def forward(self, student, teacher, center):
        t = F.softmax((teacher - center) / self.teacher_temp, dim=-1).detach()
        return -(t * F.log_softmax(student / self.student_temp, dim=-1)).sum(-1).mean()
""",
        ("teacher - center", "teacher + center"),
        "the DINO loss",
    ),
    "mae_patch_loss": (
        """
def mae_patch_loss(pred, target, mask):
    target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6).sqrt()
    loss = (pred - target).square().mean(-1)
    return (loss * mask).sum() / mask.sum()
""",
        ("target.mean(-1, keepdim=True)", "target.mean(1, keepdim=True)"),
        "the loss of a masked autoencoder",
    ),
    "dkd_loss": (
        """
def dkd_loss(logits_student, logits_teacher, target, alpha=1.0, beta=8.0, T=4.0):
    own = F.one_hot(target, logits_student.shape[1]).bool()
    p, q = (logits_teacher / T).softmax(1)[own], (logits_student / T).softmax(1)[own]
    tckd = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    rest_p = (logits_teacher / T - 1000 * own).log_softmax(1)
    rest_q = (logits_student / T - 1000 * own).log_softmax(1)
    nckd = F.kl_div(rest_q, rest_p, log_target=True, reduction="batchmean")
    return alpha * tckd + beta * nckd
""",
        ("(logits_student / T - 1000 * own)", "(logits_student * T - 1000 * own)"),
        "the decoupled distillation loss",
    ),
    "rkd_distance": (
        """
def rkd_distance(student, teacher):
    def distances(x):
        d = (x[:, None] - x[None]).square().sum(2).clamp(min=1e-12).sqrt()
        return d

    d, t = distances(student), distances(teacher).detach()
    d, t = d / d[d > 1e-5].mean(), t / t[t > 1e-5].mean()
    return F.smooth_l1_loss(d, t)
""",
        ("t / t[t > 1e-5].mean()", "t / d[d > 1e-5].mean()"),
        "the relational distillation loss",
    ),
    "orpo_loss": (
        """
def orpo_loss(chosen_logps, rejected_logps, nll, beta=0.1):
    odds = chosen_logps - rejected_logps
    odds = odds - (torch.log1p(-chosen_logps.exp()) - torch.log1p(-rejected_logps.exp()))
    return nll.mean() - beta * F.logsigmoid(odds).mean()
""",
        ("torch.log1p(-chosen_logps.exp())", "torch.log1p(chosen_logps.exp())"),
        "the ORPO loss",
    ),
    "kto_loss": (
        """
def kto_loss(policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps, kl, beta=0.1):
    z = kl.mean().clamp(min=0).detach()
    chosen = 1 - torch.sigmoid(beta * (policy_chosen_logps - ref_chosen_logps - z))
    rejected = 1 - torch.sigmoid(beta * (z - (policy_rejected_logps - ref_rejected_logps)))
    return torch.cat([chosen, rejected]).mean()
""",
        ("policy_chosen_logps - ref_chosen_logps", "policy_chosen_logps + ref_chosen_logps"),
        "the KTO loss",
    ),
    "approx_ndcg": (
        """
def approx_ndcg(scores, relevance, alpha=1.0):
    above = torch.sigmoid(alpha * (scores[:, None] - scores[:, :, None]))
    ranks = 0.5 + above.sum(2)
    gain = 2**relevance - 1
    best = gain.sort(1, descending=True).values / torch.log2(torch.arange(gain.shape[1]) + 2.0)
    return 1 - ((gain / torch.log2(1 + ranks)).sum(1) / best.sum(1)).mean()
""",
        ("descending=True", "descending=False"),
        "ApproxNDCG",
    ),
    "gae_loss": (
        """
def gae_loss(z, adj, pos_weight=3.0):
    logits = z @ z.T
    return F.binary_cross_entropy_with_logits(logits, adj, pos_weight=torch.tensor(pos_weight))
""",
        ("z @ z.T", "z @ z.T.sigmoid()"),
        "the loss of a graph autoencoder",
    ),
    "lovasz_hinge": (
        """
def lovasz_hinge(logits, labels):
    x, y = logits.flatten(), labels.flatten()
    errors = 1 - x * (2 * y - 1)
    errors, order = errors.sort(descending=True)
    y = y[order]
    jaccard = 1 - (y.sum() - y.cumsum(0)) / (y.sum() + (1 - y).cumsum(0))
    steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return (F.relu(errors) * steps).sum()
""",
        ("descending=True", "descending=False"),
        "the Lovász hinge loss",
    ),
    "masked_dice_loss": (
        """
def masked_dice_loss(pred, target, mask):
    p, t = pred.sigmoid() * mask, target * mask
    inter = (p * t).flatten(1).sum(1)
    return (1 - 2 * inter / (p.flatten(1).sum(1) + t.flatten(1).sum(1))).mean()
""",
        ("pred.sigmoid() * mask, target * mask", "pred.sigmoid() * mask, target"),
        "the Dice loss under a mask",
    ),
    "JointsMSELoss": (
        """
class JointsMSELoss(nn.Module):
    def forward(self, output, target, target_weight):
        each = (output - target).square().flatten(2).mean(2)
        return (each * target_weight.squeeze(-1)).mean()
""",
        ("output - target", "output + target"),
        "the squared error of heatmaps of joints",
    ),
    "OKSLoss": (
        """
class OKSLoss(nn.Module):
    def __init__(self, sigmas=(0.1, 0.2, 0.3)):
        super().__init__()
        self.sigmas = torch.tensor(sigmas)

    def forward(self, pred, gt, visible, area):
        d = (pred - gt).square().sum(-1)
        e = d / (2 * area * (2 * self.sigmas) ** 2)
        return ((1 - torch.exp(-e)) * visible).sum() / visible.sum()
""",
        ("torch.exp(-e)", "torch.exp(e)"),
        "the loss of the similarity of keypoints",
    ),
    "centerness_loss": (
        """
def centerness_loss(logits, ltrb):
    lr, tb = ltrb[:, [0, 2]], ltrb[:, [1, 3]]
    target = (lr.amin(1) / lr.amax(1) * tb.amin(1) / tb.amax(1)).sqrt()
    return F.binary_cross_entropy_with_logits(logits, target)
""",
        ("lr.amin(1) / lr.amax(1)", "lr.amax(1) / lr.amin(1)"),
        "the loss of the centerness",
    ),
    "lambda_rank": (
        """
def lambda_rank(scores, labels, sigma=1.0):
    gain = 2**labels - 1
    best = gain.sort(1, descending=True).values / torch.log2(torch.arange(gain.shape[1]) + 2.0)
    gain = gain / best.sum(1, keepdim=True)
    ranks = scores.argsort(1, descending=True).argsort(1) + 1
    discount = 1 / torch.log2(ranks + 1.0)
    weight = (gain[:, :, None] - gain[:, None]).abs() * (discount[:, :, None] - discount[:, None]).abs()
    above = labels[:, :, None] > labels[:, None]
    return (F.softplus(-sigma * (scores[:, :, None] - scores[:, None])) * weight)[above].sum()
""",
        ("scores.argsort(1, descending=True)", "scores.argsort(1)"),
        "LambdaRank",
    ),
    "prototypical_loss": (
        """
def prototypical_loss(queries, prototypes, labels):
    return F.cross_entropy(-torch.cdist(queries, prototypes).square(), labels)
""",
        ("-torch.cdist", "torch.cdist"),
        "the prototypical loss",
    ),
    "distribution_focal_loss": (
        """
def distribution_focal_loss(pred, target):
    low = target.long()
    w = low + 1 - target
    left = F.cross_entropy(pred, low, reduction="none")
    return (left * w + F.cross_entropy(pred, low + 1, reduction="none") * (1 - w)).mean()
""",
        ("left * w", "left * (1 - w)"),
        "the distribution focal loss",
    ),
}
