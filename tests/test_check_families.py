"""For families of losses: a loss that is the formula of its name, and the same with one slip, which is found."""

import pytest

from losskit.checker.claims.text import text_of
from losskit.checker.origin import origin_of
from losskit.checker.references.binding import bound_to
from losskit.checker.references.one_edit import one_edit_from_formula
from losskit.checker.references.reference import REFERENCES
from losskit.checker.references.unlike import _forms, _is_formula
from losskit.checker.subject import Subject

HEAD = "import math\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"

# The code of a loss, what a slip changes in it, and the family that it is compared with.
CASES = {
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


def subject_of(code, name, folder):
    path = folder / f"{name.lower()}.py"
    path.write_text(HEAD + code.strip() + "\n")
    return Subject(origin_of(f"{path}:{name}"), None)


@pytest.mark.parametrize("name", CASES)
def test_a_loss_that_is_its_formula_is_recognized(name, tmp_path):
    code, _, said = CASES[name]
    subject = subject_of(code, name, tmp_path)
    text = text_of(subject.build(), subject.name)
    bound = [bound_to(subject, each, text) for each in REFERENCES if each.said == said]
    forms = [form for each in bound if each is not None for form in _forms(each)]
    assert any(_is_formula(form, subject.name) for form in forms)
    assert list(one_edit_from_formula(subject)) == []


@pytest.mark.parametrize("name", CASES)
def test_one_slip_in_it_is_found(name, tmp_path):
    code, (right, wrong), said = CASES[name]
    assert right in code
    (found,) = one_edit_from_formula(subject_of(code.replace(right, wrong), name, tmp_path))
    assert "line" in found.what
    assert said in found.what
