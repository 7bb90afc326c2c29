"""Losses of sequences."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from losskit.core.contract import check_floating, check_real, shape, weight_and_mask
from losskit.core.means import MeanLoss
from losskit.core.options import option
from losskit.core.sums import weighted
from losskit.ops.ctc import ctc
from losskit.ops.inputs import computing_dtype
from losskit.ops.values import above_zero, log_probability_message, mark


class CTCLoss(MeanLoss):
    r"""Connectionist temporal classification (CTC): negative log-likelihood of a label sequence over all alignments.

    .. math:: -\log \sum_{\pi \in B^{-1}(y)} \prod_t p_t(\pi_t)

    where B merges repeated labels and removes blanks. "mean" first divides each sample's loss by its number of labels,
    as in PyTorch; "sum" and "none" do not. The loss has first derivatives only.

    Source: Graves, Fernandez, Gomez, Schmidhuber 2006, "Connectionist Temporal Classification", ICML.

    Elsewhere: TensorFlow takes logits, and its default blank is the last class.

    Example:
        >>> loss = losskit.CTCLoss()
        >>> log_probs = torch.zeros(4, 1, 3).log_softmax(2)  # (T, N, C), class 0 the blank
        >>> targets = torch.tensor([[1, 2]])  # (N, S)
        >>> loss(log_probs, targets, input_lengths=torch.tensor([4]), target_lengths=torch.tensor([2]))
        tensor(0.8432)
    """

    authority = "its formula in mpmath and values worked by hand"
    batch_first = False
    tensors = ("log_probs", "targets", "input_lengths", "target_lengths")
    shapes = (
        "log_probs (T, N, C) or (T, C), targets (N, S) or all labels in one row, input_lengths and target_lengths "
        "(N,); weight and mask (N,). `counts` takes the target lengths."
    )

    blank: Annotated[int, Ge(0)] = option(default=0, doc="the class of the blank")
    zero_infinity: bool = option(
        default=False, doc="loss 0 instead of infinity for samples without alignment (input too short)"
    )

    def weighed(
        self, *tensors: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        log_probs, targets = tensors[:2]
        input_lengths, target_lengths = (torch.as_tensor(lengths) for lengths in tensors[2:])
        self._check_shapes(log_probs, targets, input_lengths, target_lengths)
        single = log_probs.dim() == 2
        weight, mask = weight_and_mask(self.name, weight, mask, () if single else (log_probs.shape[1],))
        if single:
            log_probs = log_probs.unsqueeze(1)
            targets = targets.reshape(1, -1)
        scores = log_probs.to(computing_dtype(log_probs))
        targets = targets.to(scores.device)
        input_lengths, target_lengths = (
            lengths.reshape(-1).to(scores.device, torch.long) for lengths in (input_lengths, target_lengths)
        )
        if mask is not None:
            counts = mask.reshape(-1)
            scores = scores.where(counts.view(1, -1, 1), 0.0)
            if targets.dim() == 2:  # in one row, later samples begin where earlier ones end
                target_lengths = target_lengths.where(counts, 0)
            input_lengths = input_lengths.where(counts, scores.shape[0])
        values = self.values(scores, targets, input_lengths, target_lengths)
        if self.reduction == "mean":
            values = values / target_lengths.clamp_min(1)
        return weighted(values.squeeze(0) if single else values, weight, mask)

    def values(self, *tensors: Tensor) -> Tensor:
        scores, targets, input_lengths, target_lengths = tensors
        steps, samples, classes = scores.shape
        if samples == 0:
            return scores.sum((0, 2))
        longest = targets.shape[-1]
        within = torch.ones_like(targets, dtype=torch.bool)
        if targets.dim() == 2:
            within = torch.arange(longest, device=targets.device) < target_lengths.unsqueeze(1)
        read = torch.arange(steps, device=scores.device).view(-1, 1, 1) < input_lengths.view(1, -1, 1)
        above = read & (scores > above_zero(scores))
        scores = mark(scores, above, scores, log_probability_message(self.name, "log_probs", 2))
        bad = within & ((targets < 0) | (targets >= classes) | (targets == self.blank))
        verdict = mark(
            scores.new_zeros(()),
            bad,
            targets,
            f"{self.name}: targets holds {{value}}, but labels are 0 to {classes - 1}, without the blank {self.blank}. "
            "Check blank=, and that target_lengths leaves padding out.",
        )
        for name, lengths, limit in (
            ("input_lengths", input_lengths, steps),
            ("target_lengths", target_lengths, longest),
        ):
            message = f"{self.name}: {name} holds {{value}}, but a length here is 0 to {limit}."
            verdict = mark(verdict, (lengths < 0) | (lengths > limit), lengths, message)
        if targets.dim() == 1:
            labels = target_lengths.sum().reshape(1)
            message = f"{self.name}: targets holds {longest} labels in one row, but target_lengths add up to {{value}}."
            verdict = mark(verdict, labels != longest, labels, message)
        losses = ctc(
            scores,
            targets.long().where(within & ~bad, 0),  # reads stay in bounds, also if labels are invalid
            input_lengths.clamp(0, steps),
            target_lengths.clamp(0, longest),
            self.blank,
            self.zero_infinity,
        )
        return losses + verdict

    def _check_shapes(self, *tensors: Tensor) -> None:
        log_probs, targets, input_lengths, target_lengths = tensors
        check_floating(self.name, "log_probs", log_probs)
        check_real(self.name, "targets", targets)
        if log_probs.dim() not in (2, 3) or 0 in (log_probs.shape[0], log_probs.shape[-1]):
            raise ValueError(
                f"{self.name}: log_probs must have shape (T, N, C) or (T, C), steps first; got {shape(log_probs)}. For "
                "batch first pass log_probs.transpose(0, 1)."
            )
        if self.blank >= log_probs.shape[-1]:
            raise ValueError(
                f"{self.name}: blank={self.blank}, but log_probs {shape(log_probs)} has classes 0 to "
                f"{log_probs.shape[-1] - 1}."
            )
        samples = log_probs.shape[1] if log_probs.dim() == 3 else 1
        single = log_probs.dim() == 2
        if (
            targets.is_floating_point()
            or targets.dim() not in ((1,) if single else (1, 2))
            or (targets.dim() == 2 and targets.shape[0] != samples)
        ):
            raise ValueError(
                f"{self.name}: targets holds integer labels, of shape {'(S,)' if single else f'({samples}, S)'} or all "
                f"in one row, for log_probs {shape(log_probs)}; got {shape(targets)} of {targets.dtype}."
            )
        for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
            check_real(self.name, name, lengths)
            if lengths.is_floating_point() or lengths.numel() != samples:
                raise ValueError(
                    f"{self.name}: {name} holds one whole number a sample, ({samples},) for log_probs "
                    f"{shape(log_probs)}; got {shape(lengths)} of {lengths.dtype}."
                )
