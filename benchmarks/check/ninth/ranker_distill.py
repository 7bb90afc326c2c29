import torch
import torch.nn as nn
import torch.nn.functional as F


class RankerDistill(nn.Module):
    """Distils a teacher ranking model into a student.

    Both score lists are turned into distributions with a softmax at the given
    temperature; the loss is KL(teacher || student), averaged over the queries
    and multiplied by the squared temperature. It is 0 when both agree.

    Args:
        temperature (float): softening of both lists. Default: 2.0

    Shape:
        - scores: (Q, D) student scores of D documents for Q queries
        - labels: (Q, D) teacher scores
    """

    def __init__(self, temperature=2.0):
        super().__init__()
        self.temperature = temperature
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def forward(self, scores, labels):
        t = self.temperature
        student = F.softmax(scores / t, dim=-1)
        teacher = F.softmax(labels.detach() / t, dim=-1)
        return self.kl(student, teacher) * t * t
