import torch
import torch.nn.functional as F


def log_zinb_positive(x, mu, theta, pi, eps=1e-8):
    """
    Log likelihood (scalar per entry) of a zinb model.

    mu: mean of the negative binomial (positive) (shape: minibatch x genes)
    theta: inverse dispersion parameter (positive) (shape: minibatch x genes or genes)
    pi: logit of the dropout parameter (real support) (shape: minibatch x genes)
    """
    if theta.ndimension() == 1:
        theta = theta.view(1, theta.size(0))

    # pi = sigmoid(logit): log(pi) = -softplus(-logit), log(1 - pi) = -softplus(logit)
    softplus_pi = F.softplus(-pi)
    log_theta_eps = torch.log(theta + eps)
    log_theta_mu_eps = torch.log(theta + mu + eps)
    pi_theta_log = -pi + theta * (log_theta_eps - log_theta_mu_eps)

    case_zero = F.softplus(pi_theta_log) - softplus_pi
    case_non_zero = (
        -softplus_pi
        + pi_theta_log
        + x * (torch.log(mu + eps) - log_theta_mu_eps)
        + torch.lgamma(x + theta)
        - torch.lgamma(theta)
        - torch.lgamma(x + 1)
    )
    return torch.where(x < eps, case_zero, case_non_zero)


class ZINBReconstruction(torch.nn.Module):
    """Reconstruction loss of a count autoencoder: minus log likelihood, summed over genes, mean over cells."""

    def __init__(self, n_genes=50):
        super().__init__()
        self.px_r = torch.nn.Parameter(torch.zeros(n_genes))

    def forward(self, x, px_scale, library, px_dropout):
        """px_scale: softmax over genes, library: (B, 1) log of the cell totals"""
        px_rate = torch.exp(library) * px_scale
        log_lik = log_zinb_positive(x, px_rate, torch.exp(self.px_r), px_dropout)
        return -log_lik.sum(dim=-1).mean()
