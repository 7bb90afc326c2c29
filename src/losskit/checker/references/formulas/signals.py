"""Signals: assignments of separated sources, spectra at several resolutions, alignments."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from losskit.checker.references.formulas.numbers import PAIR
from losskit.checker.references.reference import Given, Option, Pick, real, reference, whole


def sources(count: int) -> Any:
    def draw(seed: int) -> dict[str, Any]:
        y = real(seed, 4, count, 6)
        mixed = y.roll(1, 1) if count > 2 else y * 0.3 + y.flip(1) * 0.8
        return {"x": mixed + 0.6 * real(seed + 1, 4, count, 6), "y": y}

    return draw


def _decibels(x: Tensor, y: Tensor) -> Tensor:
    return -10 * (x.square().sum(-1) / y.square().sum(-1)).log10()


@reference(
    "the loss of the best permutation",
    r"\bu?pit\b|permutation invariant",
    PAIR,
    sources(2),
    sources(3),
    trained=("x",),
    unless=r"mixit|frame|graph|\bsot\b|fixed",
)
def permuted(g: Given, pick: Pick) -> Any:
    kind = pick("si", "si mean", "snr", "mse", "l1")
    x, y = g.x, g.y
    if kind == "si mean":
        x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    x, y = x[:, :, None], y[:, None]  # (samples, estimates, references, steps)
    if kind.startswith("si"):
        aim = (x * y).sum(-1, keepdim=True) / y.square().sum(-1, keepdim=True) * y
        pairs = _decibels(aim, x - aim)
    elif kind == "snr":
        pairs = _decibels(y.expand(len(y), y.shape[2], -1, -1), x - y)
    else:
        pairs = (x - y).square().mean(-1) if kind == "mse" else (x - y).abs().mean(-1)
    count = range(g.x.shape[1])
    orders = [pairs[:, list(count), list(order)].mean(1) for order in itertools.permutations(count)]
    return torch.stack(orders).amin(0).mean()


def waves(steps: int) -> Any:
    def draw(seed: int) -> dict[str, Any]:
        y = real(seed, 2, steps).round(decimals=2)
        return {"x": (y + 0.8 * real(seed + 1, 2, steps)).round(decimals=2), "y": y}

    return draw


def resolutions(g: Given) -> Iterator[tuple[int, int, int]]:
    """The windows of a loss: from lists of sizes, from a list of pairs or triples, or from three options."""
    lists = {name.lower(): [int(n) for n in each] for name, each in g.lists.items() if each}
    tables = [v for v in g.settings.values() if isinstance(v, (list, tuple)) and v and isinstance(v[0], (list, tuple))]
    if tables:
        for row in tables[0]:
            yield row[0], row[1] if len(row) > 1 else row[0] // 4, row[2] if len(row) > 2 else row[0]
        return
    sizes = next((each for name, each in lists.items() if "hop" not in name and "win" not in name), [])
    if not sizes:
        yield int(g.size), int(g.hop), int(g.win) if "win" in g.numbers else int(g.size)
        return
    hops = next((each for name, each in lists.items() if "hop" in name or "shift" in name), [n // 4 for n in sizes])
    wins = next((each for name, each in lists.items() if "win" in name), sizes)
    yield from zip(sizes, hops, wins, strict=False)


@reference(
    "the distance of spectra at one or several resolutions",
    r"\bstft\b|multi ?(resolution|scale) (stft|spectral|spectrogram)|spectrogram loss",
    PAIR,
    waves(300),
    waves(1200),
    options=[Option("size", r"n_?fft|fft_?size|window_?size", 32, (256,)), Option("hop", r"hop\w*|stride", 8, (64,))],
    lists=r"\w*(fft|size|hop|win|scale|resol|shift)\w*",
    trained=("x",),
    unless=r"complex|phase|mel\b|\bsi\b|perceptual|a ?weight|random",
    free=True,
)
def spectra(g: Given, pick: Pick) -> Any:
    sizes = list(resolutions(g))
    if g.x.shape[1] > 300 and max(max(each) for each in sizes) < 300:
        raise ValueError("the shorter examples are enough")
    window, (center, edge) = pick("hann", "hamming", ""), pick((True, "reflect"), (False, ""), (True, "constant"))
    whole_batch, power = pick(True, False), pick(1, 2)
    converged, logs, plain, powers = [], [], [], []
    for size, hop, win in sizes:
        made = {"hann": torch.hann_window, "hamming": torch.hamming_window}.get(window, torch.ones)
        taper = made(win, dtype=torch.float64)
        x, y = (
            torch.stft(each, size, hop, win, taper, center, edge or "reflect", return_complex=True)
            .abs()
            .clamp(min=1e-7)
            for each in (g.x, g.y)
        )
        axes = (0, 1, 2) if whole_batch else (1, 2)
        converged.append(((x - y).square().sum(axes) / y.square().sum(axes)).sqrt().mean())
        logs.append((x.log() - y.log()).abs().pow(power).mean())
        plain.append((x - y).abs().pow(power).mean())
        powers.append((x.square() - y.square()).abs().pow(power).mean())
    gaps = [torch.stack(each).sum() for each in (converged, logs, plain, powers)]
    one = tuple((gap,) for gap in gaps)
    return pick((gaps[0], gaps[1]), *one, (gaps[2], gaps[1]), (gaps[0], gaps[2]), tuple(gaps[:3]), (gaps[3], gaps[1]))


@reference(
    "the spectral convergence of waves",
    r"spectral convergence",
    PAIR,
    waves(300),
    waves(1200),
    options=[Option("size", r"n_?fft|fft_?size|window_?size", 32, (256,)), Option("hop", r"hop\w*|stride", 8, (64,))],
    lists=r"\w*(fft|size|hop|win|scale|resol|shift)\w*",
    trained=("x",),
    unless=r"complex|phase|mel\b|log|magnitude loss|\bl1\b|multi ?scale|\band\b|\bplus\b",
)
def convergence(g: Given, pick: Pick) -> Any:
    sizes = list(resolutions(g))
    if g.x.shape[1] > 300 and max(max(each) for each in sizes) < 300:
        raise ValueError("the shorter examples are enough")
    window, edge = pick("hann", "ones", "hamming"), pick("reflect", "")
    each = g.text.says(r"(per|each|every|one per) (clip|sample|item|utterance|wave\w*|example)")
    axes = (1, 2) if each else pick((0, 1, 2), (1, 2))
    terms = []
    for size, hop, win in sizes:
        made = {"hann": torch.hann_window, "hamming": torch.hamming_window}.get(window, torch.ones)
        taper = made(win, dtype=torch.float64)
        x, y = (
            torch.stft(each, size, hop, win, taper, bool(edge), edge or "reflect", return_complex=True).abs()
            for each in (g.x, g.y)
        )
        terms.append(((x - y).square().sum(axes) / y.square().sum(axes)).sqrt().mean())
    return torch.stack(terms).sum()


def utterances(seed: int) -> dict[str, Any]:
    return {
        "x": real(seed, 3, 7, 5),
        "y": 1 + whole(seed, 4, 3, 2),
        "frames": torch.tensor([7, 6, 5]),
        "lengths": torch.tensor([2, 1, 2]),
    }


@reference(
    "the CTC loss",
    r"\bctc\b",
    {
        "x": r"log_?probs?|logits?|x|pred\w*|out\w*|emissions?|acts|log_?p",
        "y": r"targets?|labels?|y|tokens|text\w*",
        "frames": r"(input|logit|frame|x|out\w*|pred\w*|enc\w*|log_?prob\w*|act\w*)_?(len|size)\w*|in_?len\w*",
        "lengths": r"(target|label|y|text|tgt|token)_?(len|size)\w*|\w*lens?_?y",
    },
    utterances,
    lambda s: {**utterances(s), "x": utterances(s)["x"].transpose(0, 1)},
    options=[Option("blank", r"blank\w*", 0, (0, 4))],
    trained=("x",),
    unless=r"focal|attention|transducer|hybrid|distill|entropy",
)
def alignment(g: Given, pick: Pick) -> Any:
    logs = g.x if g.called("x", "log_?p") else g.x.log_softmax(2)
    logs = logs.transpose(0, 1) if g.x.shape[0] == 3 else logs
    blank = int(g.blank)
    if blank != 0:
        return g.x.sum() * torch.nan  # the targets of the examples would contain it
    each = F.ctc_loss(logs, g.y, g.frames, g.lengths, blank=blank, reduction="none")
    return pick((each / g.lengths).mean(), each.mean())
