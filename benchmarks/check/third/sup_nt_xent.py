import torch
import torch.nn.functional as F


def get_similarity_matrix(outputs):
    outputs = F.normalize(outputs, dim=1)
    return torch.mm(outputs, outputs.t())


def supervised_nt_xent(outputs, labels, temperature=0.5, eps=1e-8):
    '''
        Supervised NT-Xent (SupCLR), all other samples of the same class are the positives
        of an anchor; the log-probabilities are averaged over its positives.
        - outputs: (B, D) projections
        - labels: (B,)
    '''
    device = outputs.device
    B = outputs.size(0)
    sim_matrix = get_similarity_matrix(outputs) / temperature

    # the anchor itself does not appear in the denominator
    eye = torch.eye(B, dtype=torch.bool, device=device)
    denom = torch.logsumexp(sim_matrix.masked_fill(eye, -1e9), dim=1, keepdim=True)
    log_prob = sim_matrix - denom

    labels = labels.contiguous().view(-1, 1)
    Mask = torch.eq(labels, labels.t()).to(sim_matrix.dtype)
    Mask = Mask / (Mask.sum(dim=1, keepdim=True) + eps)

    return -torch.sum(Mask * log_prob) / B
