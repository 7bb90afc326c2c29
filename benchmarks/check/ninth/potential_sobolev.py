import torch
import torch.nn as nn


class PotentialSobolev(nn.Module):
    """Energy and force matching for a learned potential.

    ``w_e * mean((E - E_ref)**2) + w_f * mean(|F - F_ref|**2)`` where the force is
    minus the gradient of the energy with respect to the positions and |.|**2 is
    summed over the three components. Second derivatives are kept, so the force
    term trains the network as well.

    Args:
        w_e (float), w_f (float): weights. Defaults: 1 and 10

    Shape:
        - energy: (B,), computed from ``pos`` (which requires grad)
        - pos: (B, A, 3)
        - e_ref: (B,)
        - f_ref: (B, A, 3)
    """

    def __init__(self, w_e=1.0, w_f=10.0):
        super().__init__()
        self.w_e = w_e
        self.w_f = w_f

    def forward(self, energy, pos, e_ref, f_ref):
        force = -torch.autograd.grad(energy.sum(), pos, create_graph=True)[0]
        e_term = (energy - e_ref).square().mean()
        f_term = (force - f_ref).square().sum(-1).mean()
        return self.w_e * e_term + self.w_f * f_term
