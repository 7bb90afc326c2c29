"""Losses of routers, chains, critics, groups, scores and paths, each with a slip, and what their formula is called."""

OF_MODELS = {
    "load_balancing_loss": (
        """
def load_balancing_loss(router_logits, num_experts, top_k=2):
    probs = router_logits.softmax(-1)
    taken = F.one_hot(probs.topk(top_k, -1).indices, num_experts).double().sum(1)
    return num_experts * (taken.mean(0) * probs.mean(0)).sum()
""",
        ("* probs.mean(0)", "/ probs.mean(0)"),
        "the loss of balanced experts",
    ),
    "router_z_loss": (
        """
def router_z_loss(router_logits):
    return router_logits.logsumexp(-1).square().mean()
""",
        (".square()", ".sqrt()"),
        "the z-loss of a router",
    ),
    "importance_loss": (
        """
def importance_loss(gates):
    importance = gates.sum(0)
    return importance.var() / importance.mean() ** 2
""",
        ("gates.sum(0)", "gates.sum(1)"),
        "the variation of the importance of experts",
    ),
    "CRFLoss": (
        """
class CRFLoss(nn.Module):
    def __init__(self, num_tags=4):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))
        self.steps = nn.Parameter(torch.zeros(num_tags, num_tags))

    def forward(self, emissions, tags):
        chosen = emissions.gather(2, tags[..., None]).squeeze(2)
        score = self.start[tags[:, 0]] + chosen.sum(1) + self.end[tags[:, -1]]
        score = score + self.steps[tags[:, :-1], tags[:, 1:]].sum(1)
        alpha = self.start + emissions[:, 0]
        for t in range(1, emissions.shape[1]):
            alpha = torch.logsumexp(alpha[:, :, None] + self.steps, 1) + emissions[:, t]
        return (torch.logsumexp(alpha + self.end, 1) - score).mean()
""",
        ("torch.logsumexp(alpha + self.end, 1)", "torch.logsumexp(alpha - self.end, 1)"),
        "the likelihood of a chain of tags",
    ),
    "reward_model_loss": (
        """
def reward_model_loss(chosen_rewards, chosen_mask, rejected_rewards, rejected_mask):
    def last(rewards, mask):
        end = mask.long().sum(1) - 1
        return rewards.gather(1, end[:, None]).squeeze(1)

    return -F.logsigmoid(last(chosen_rewards, chosen_mask) - last(rejected_rewards, rejected_mask)).mean()
""",
        ("last(rejected_rewards, rejected_mask)", "last(rejected_rewards, chosen_mask)"),
        "the preference of scores at the ends of answers",
    ),
    "multi_token_loss": (
        """
def multi_token_loss(logits, labels):
    total = 0.0
    for k, each in enumerate(logits):
        made, aim = each[:, : -(k + 1)], labels[:, k + 1 :]
        total = total + F.cross_entropy(made.reshape(-1, made.shape[-1]), aim.reshape(-1))
    return total / len(logits)
""",
        ("F.cross_entropy(made", "F.cross_entropy(-made"),
        "the cross entropy of several predicted tokens",
    ),
    "c51_loss": (
        """
def c51_loss(logits, next_probs, rewards, dones, support, gamma=0.99):
    low, high, width = support[0], support[-1], support[1] - support[0]
    at = (rewards[:, None] + gamma * (1 - dones[:, None]) * support).clamp(low, high)
    near = (1 - (at[:, :, None] - support).abs() / width).clamp(0, 1)
    target = (next_probs[:, :, None] * near).sum(1).detach()
    return -(target * logits.log_softmax(1)).sum(1).mean()
""",
        ("(1 - dones[:, None])", "(1 + dones[:, None])"),
        "the loss of projected returns",
    ),
    "iql_loss": (
        """
def iql_loss(v, q1, q2, tau=0.7):
    error = torch.minimum(q1, q2).detach() - v
    weight = torch.where(error > 0, tau, 1 - tau)
    return (weight * error**2).mean()
""",
        ("error > 0", "error < 0"),
        "the expectile loss of two critics",
    ),
    "policy_gradient_loss": (
        """
def policy_gradient_loss(logp, advantages, mask):
    mean = (advantages * mask).sum() / mask.sum()
    gap = advantages - mean
    gain = gap / ((gap**2 * mask).sum() / mask.sum()).sqrt()
    return -(logp * gain * mask).sum() / mask.sum()
""",
        ("advantages - mean", "advantages + mean"),
        "the policy gradient under a mask",
    ),
    "tarnet_loss": (
        """
def tarnet_loss(y0, y1, y, t):
    share = t.mean()
    weight = t / (2 * share) + (1 - t) / (2 * (1 - share))
    return (weight * (t * y1 + (1 - t) * y0 - y) ** 2).mean()
""",
        ("(t * y1 + (1 - t) * y0", "(t * y0 + (1 - t) * y0"),
        "the factual loss of two outcomes",
    ),
    "ips_loss": (
        """
def ips_loss(pred, target, observed, propensity):
    return ((pred - target) ** 2 * observed / propensity).mean()
""",
        ("observed / propensity", "observed * propensity"),
        "the error weighted by inverse propensities",
    ),
    "fairness_loss": (
        """
def fairness_loss(logits, labels, group):
    p = logits.sigmoid()
    gap = p[group == 0].mean() - p[group == 1].mean()
    return F.binary_cross_entropy_with_logits(logits, labels) + gap.abs()
""",
        ("p[group == 0].mean() -", "p[group == 0].mean() +"),
        "the cross entropy and the gap between groups",
    ),
    "bayes_by_backprop_loss": (
        """
def bayes_by_backprop_loss(logits, target, mus, rhos, prior_std=1.0):
    kl = 0.0
    for mu, rho in zip(mus, rhos):
        sigma = F.softplus(rho)
        kl = kl + (torch.log(prior_std / sigma) + (sigma**2 + mu**2) / (2 * prior_std**2)).sum()
    return F.cross_entropy(logits, target) + kl
""",
        ("torch.log(prior_std / sigma)", "torch.log(prior_std * sigma)"),
        "the free energy of weights with a Gaussian posterior",
    ),
    "dsm_loss": (
        """
def dsm_loss(score_net, x, noise, sigma=0.1):
    score = score_net(x + sigma * noise)
    return (score + noise / sigma).square().sum(1).mean()
""",
        ("(score + noise", "(score - noise"),
        "the denoising score matching of a network",
    ),
    "sliced_score_matching": (
        """
def sliced_score_matching(score_net, x, v):
    x = x.detach().requires_grad_()
    score = score_net(x)
    slope = torch.autograd.grad((score * v).sum(), x, create_graph=True)[0]
    return ((slope * v).sum(1) + score.square().sum(1) / 2).mean()
""",
        ("(slope * v).sum(1) +", "(slope * v).sum(1) -"),
        "the sliced score matching of a network",
    ),
    "flow_matching_loss": (
        """
def flow_matching_loss(v_pred, x1, x0, mask):
    each = (v_pred - (x1 - x0)).square().mean(-1)
    return ((each * mask).sum(1) / mask.sum(1)).mean()
""",
        ("x1 - x0", "x1 + x0"),
        "the flow matching loss of a predicted velocity",
    ),
    "kinetic_energy_loss": (
        """
def kinetic_energy_loss(times, states, velocity, target):
    energy = torch.trapezoid(velocity.square().sum(-1), times, dim=0).mean()
    return (states[-1] - target).square().mean() + 0.1 * energy
""",
        ("states[-1] - target", "states[-1] + target"),
        "the loss of the end of a path and its kinetic energy",
    ),
    "generator_loss": (
        """
def generator_loss(scores_fake, feats_fake, feats_real):
    loss = sum((s - 1).square().mean() for s in scores_fake)
    for fake, real in zip(feats_fake, feats_real):
        for f, r in zip(fake, real):
            loss = loss + 2 * (f - r.detach()).abs().mean()
    return loss
""",
        ("(s - 1)", "(s + 1)"),
        "the loss of a generator with matched features",
    ),
    "kto_loss": (
        """
def kto_loss(policy_logps, ref_logps, desirable, kl, beta=0.1):
    gap = beta * (policy_logps - ref_logps - kl)
    return torch.where(desirable, 1 - torch.sigmoid(gap), 1 - torch.sigmoid(-gap)).mean()
""",
        ("1 - torch.sigmoid(-gap)", "1 - torch.sigmoid(gap)"),
        "the KTO loss of unpaired answers",
    ),
    "link_loss": (
        """
def link_loss(src, dst, labels):
    return F.binary_cross_entropy_with_logits((src * dst).sum(-1), labels.double())
""",
        ("(src * dst)", "(src + dst)"),
        "the cross entropy of the edges of embeddings",
    ),
}
