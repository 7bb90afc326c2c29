"""Losses of images and signals: structural similarity, peak signal-to-noise ratio, SI-SDR and spectra."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from losskit.checker.claims.claim import Claim, Claimed, Role, drawn, near
from losskit.checker.finding import Found
from losskit.checker.listening import heard

FIRST = Role("first", r"x|a|inputs?|img_?1|im1|image_?1|pred\w*|y_?pred|y_?hat|outputs?|recon\w*|sr|fake|est\w*|out")
SECOND = Role("second", r"y|b|targets?|img_?2|im2|image_?2|gt|y_?true|truth|hr|real|ref\w*|true|clean\w*|labels?")


def _flat(first: float, second: float, channels: int = 3) -> dict[str, Tensor]:
    size = (1, channels, 32, 32)
    return {"first": torch.full(size, first, dtype=torch.float64), "second": torch.full(size, second).double()}


def _channels(claimed: Claimed) -> int:
    return next((n for n in (3, 1) if math.isfinite(claimed.total(**_flat(0.3, 0.5, n)))), 0)


def ssim_constants(claimed: Claimed) -> Iterator[Found]:
    """The first constant, from pairs of even images: the similarity of their brightness alone."""
    if not claimed.text.says(r"\[0(\.0)?, ?1(\.0)?\]|0 (to|and|\.\.) 1\b") and _range(claimed) != 1.0:
        return
    if re.search(r"0 ?(to|\.\.|-) ?255|\[0, ?255\]", claimed.text.said):
        return
    channels = _channels(claimed)
    same, near_by, far = (claimed.value(**_flat(0.5, each, channels)) for each in (0.5, 0.3, 0.1))
    if not all(map(math.isfinite, (same, near_by, far))):
        return
    rise = (near_by - same), (far - same)
    small = [1 - _brightness(0.5, each, (0.01 * 255) ** 2) for each in (0.3, 0.1)]
    usual = [1 - _brightness(0.5, each, 1e-4) for each in (0.3, 0.1)]
    scales = [rise[1] / small[1], rise[1] / usual[1]]
    if rise[1] > 0 and near(rise[0] / rise[1], small[0] / small[1], 0.005) and scales[0] > 0.4 and scales[1] < 0.1:
        yield claimed.found(
            "the stabilising constants are those of images in 0 to 255, so images in [0, 1] have nearly the same loss",
            {"brightness 0.5 and 0.1": far, "equal images": same},
            "C1 = (0.01 * data_range) ** 2 and C2 = (0.03 * data_range) ** 2, with a data range of 1.",
            _flat(0.5, 0.1, channels),
        )


def ssim_window(claimed: Claimed) -> Iterator[Found]:
    """The weights of the window add up to 1: otherwise variances of even images are not 0."""
    images = claimed.subject.example()
    for call in heard(claimed.subject, *images) if claimed.subject.spec.two else ():
        weight = call.given(1, "weight") if call.name == "conv2d" else None
        if not isinstance(weight, Tensor) or weight.shape[-1] < 3 or bool((weight < 0).any()):
            continue
        total = float(weight[0].sum())
        even = bool((weight == weight.flatten()[0]).all())  # a box, which may be divided by its size later
        if not even and abs(total - 1) > 2e-3:
            given = _flat(0.5, 0.3, _channels(claimed) or 1)
            yield claimed.found(
                f"the weights of its window add up to {total:.4g}, not to 1: local variances are no variances",
                {"sum of the weights": total},
                "window = window / window.sum()",
                given,
            )
        return


def _range(claimed: Claimed) -> Any:
    return claimed.option("data_range", "val_range", "max_val", "L", "dynamic_range", "drange")


def _brightness(a: float, b: float, c: float) -> float:
    return (2 * a * b + c) / (a * a + b * b + c)


def _texture(channels: int, contrast: float) -> Tensor:
    at = torch.arange(48)
    checks = ((at.unsqueeze(0) + at.unsqueeze(1)) % 2 * 2 - 1).double()
    return (0.5 + contrast * checks).expand(1, channels, 48, 48).contiguous()


_POSITIVE = r"non.?negative|negative (ssim|similarit)|relu|below 0|clipped|clamped|truncat"


def ssim_texture(claimed: Claimed) -> Iterator[Found]:
    """Opposite textures have a similarity of about -1, and equal ones of 1, whatever the window."""
    channels = _channels(claimed)
    if not channels or claimed.text.claims(r"gradient|edge|multi ?-?scale|ms ?-?ssim|l1|l 1|mix|combin"):
        return
    texture = _texture(channels, 0.3)
    given = {"first": texture, "second": 1 - texture}
    same, opposite = claimed.value(first=texture, second=texture), claimed.value(**given)
    flat = claimed.value(**_flat(0.5, 0.1, channels)), claimed.value(**_flat(0.5, 0.5, channels))
    rise = flat[0] - flat[1]
    if not all(map(math.isfinite, (same, opposite, *flat))) or rise <= 0:
        return
    right = 1 - _brightness(0.5, 0.1, 1e-4)
    halved = 0.4 < rise / right < 0.75 and near(opposite - same, 0.5, 0.02)  # (1 - similarity) / 2, at most a half
    fainter = {"first": texture, "second": 1 - _texture(channels, 0.15)}
    flat_inside = not claimed.slope("first", **fainter)[..., 20:28, 20:28].any()
    if halved and flat_inside and not re.search(_POSITIVE, claimed.text.said):
        yield claimed.found(
            "(1 - similarity) / 2 is cut at a half: negative similarities have no gradient",
            {"opposite textures": opposite, "by definition": 1.0},
            "torch.clamp((1 - ssim) / 2, 0, 1): halve before clamping.",
            given,
        )
        return
    if (opposite - same) / rise < 0.5 * 1.0 / right and rise > 0.05:
        yield claimed.found(
            "opposite textures are nearly as similar as equal ones: the covariance is not that of the deviations",
            {"opposite": opposite, "equal": same},
            "sigma_xy = blur(x * y) - mu_x * mu_y, and the variances likewise.",
            {"first": "texture", "second": "1 - texture"} and given,
        )


def _noisy(size: tuple[int, ...], share: float) -> dict[str, Tensor]:
    truth = torch.full(size, 0.5, dtype=torch.float64)
    return {"first": truth + share, "second": truth}


def psnr(claimed: Claimed) -> Iterator[Found]:
    """A tenth of the error is 20 dB more."""
    if claimed.text.says(r"natural log|nats|\bln\b"):
        return
    size = (1, 3, 8, 8)
    costs = [claimed.value(**_noisy(size, share)) for share in (0.1, 0.01)]
    gained = costs[0] - costs[1]
    if all(map(math.isfinite, costs)) and gained and not near(abs(gained), 20.0, 0.05):
        known = {
            2.0: "the factor 10 is missing",
            4.605: "the natural logarithm is taken",
            10.0: "the factor is 5, not 10",
        }
        known[46.05] = "the natural logarithm is taken, not that of base 10"
        known[40.0] = "the factor is 20 for a squared error"
        why = next((said for size, said in known.items() if near(abs(gained), size, 0.02)), "")
        if why:
            yield claimed.found(
                f"a tenth of the error raises the ratio by {abs(gained):.4g} dB, not by 20 dB: {why}",
                {"error 0.1": costs[0], "error 0.01": costs[1]},
                "10 * torch.log10(data_range ** 2 / mse)",
                _noisy((1, 3, 2, 2), 0.1),
            )


ESTIMATE = Role(
    "first", r"est\w*|pred\w*|outputs?|x|inputs?|y_?hat|s_?hat|preds?|enhanced|separated|y_?pred|out|source_?hat"
)
REFERENCE = Role("second", r"ref\w*|targets?|y|clean\w*|source\w*|s|gt|truth|true|y_?true|labels?")
_SIZES = ((2, 64), (2, 1, 64), (2, 2, 64))


def _signals(size: tuple[int, ...], noise: float) -> dict[str, Tensor]:
    """A signal without mean, and the same with noise orthogonal to it."""
    at = 2 * math.pi * torch.arange(size[-1], dtype=torch.float64) / size[-1]
    clean, other = (2 * at).sin().expand(size), (5 * at).sin().expand(size)
    return {"first": (clean + noise * other).contiguous(), "second": clean.contiguous()}


def _size_of_signals(claimed: Claimed) -> tuple[int, ...] | None:
    return next((size for size in _SIZES if math.isfinite(claimed.total(**_signals(size, 0.1)))), None)


def si_sdr(claimed: Claimed) -> Iterator[Found]:
    """The scale of the estimate does not matter, and a tenth of the noise is 20 dB more."""
    size = _size_of_signals(claimed)
    if size is None:
        return
    given = _signals(size, 0.1)
    before = claimed.value(**given)
    louder = claimed.value(**{**given, "first": 3 * given["first"]})
    short = _signals((*size[:-1], 8), 0.1)
    if not near(louder, before, 0.02, 0.05):
        reference = claimed.value(**{**given, "second": 3 * given["second"]})
        swapped = near(reference, before, 0.02, 0.05)
        yield claimed.found(
            "the scale of the estimate changes the loss"
            + (": the target is projected on the estimate" if swapped else ", which is scale-invariant by name"),
            {"estimate times 3": louder, "estimate": before},
            "scale = (estimate * target).sum(-1) / target.pow(2).sum(-1); compare with scale * target.",
            {**short, "first": 3 * short["first"]},
        )
        return
    gained = before - claimed.value(**_signals(size, 0.01))
    if not near(gained, 20.0, 0.03) and not near(gained, math.log(100), 0.03):
        yield claimed.found(
            f"a tenth of the noise changes the loss by {-gained:.4g} dB, not by -20 dB",
            {"noise 0.1": before, "noise 0.01": before - gained},
            "-10 * log10(|scale * target|^2 / |estimate - scale * target|^2)",
            short,
        )


def spectra(claimed: Claimed) -> Iterator[Found]:
    """Silence has a finite gradient."""
    for size in ((2, 16384), (2, 1, 16384)):
        at = torch.arange(size[-1]) / 10
        signal = at.sin().expand(size).contiguous()
        if not math.isfinite(claimed.total(first=signal, second=signal.flip(-1))):
            continue
        for first, second, what in (
            (torch.zeros(size), signal, "a silent estimate"),
            (signal, torch.zeros(size), "a silent target"),
        ):
            slope = claimed.slope("first", first=first, second=second)
            loss = claimed.value(first=first, second=second)
            if not bool(slope.isfinite().all()) or not math.isfinite(loss):
                yield Found(
                    f"{claimed.claim.said}: {what} has a gradient that is not finite",
                    {"loss": loss, "gradient": float(slope.flatten()[0])},
                    _silent(claimed, size, what),
                    None,
                    "Clamp the squared magnitude before the square root and the logarithm.",
                )
                return
        return


def _silent(claimed: Claimed, size: tuple[int, ...], what: str) -> str:
    given: dict[str, Any] = {"first": torch.zeros(size), "second": torch.ones(size)}
    if "target" in what:
        given = {"first": torch.ones(size), "second": torch.zeros(size)}
    return claimed.code(given, "first")


def edges(claimed: Claimed) -> Iterator[Found]:
    """Even images have a finite gradient."""
    for channels in (1, 3):
        size = (1, channels, 12, 12)
        image = drawn(*size).float().sigmoid()
        if not math.isfinite(claimed.total(first=image, second=image.flip(-1))):
            continue
        given = {"first": torch.full(size, 0.5), "second": image}
        slope = claimed.slope("first", **given)
        if not bool(slope.isfinite().all()):
            yield claimed.found(
                "an even region has a gradient of NaN: the square root of a zero magnitude has an infinite slope",
                {"loss": claimed.value(**given), "gradient": "NaN"},
                "torch.sqrt(gx ** 2 + gy ** 2 + eps)",
                {"first": torch.full((1, channels, 6, 6), 0.5), "second": torch.full((1, channels, 6, 6), 0.2)},
                "first",
            )
        return


DEPTH = Role("first", r"disp\w*|depth\w*|flow\w*|pred\w*|x|inputs?")
GUIDE = Role("second", r"im\w*|rgb|guid\w*|frames?|target\w*")


def edge_aware(claimed: Claimed) -> Iterator[Found]:
    """A step of depth where the image has an edge has a lower loss than one where the image is even."""
    step = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    step[..., 4:] = 1.0
    depth, image = step + 1.0, step.expand(1, 3, 8, 8).contiguous()
    even = torch.full_like(image, 0.5)
    at_edge, elsewhere = claimed.value(first=depth, second=image), claimed.value(first=depth, second=even)
    if math.isfinite(at_edge) and math.isfinite(elsewhere) and at_edge > elsewhere + 1e-9:
        yield claimed.found(
            "a step of depth at an edge of the image has a higher loss than one where the image is even",
            {"at an edge": at_edge, "where it is even": elsewhere},
            "torch.exp(-image_gradient) * depth_gradient: the exponent has a minus.",
            {"first": depth[..., :2, 2:6], "second": image[..., :2, 2:6]},
        )


_PAIR = (FIRST, SECOND)
CLAIMS = (
    Claim(
        "SSIM",
        r"\bssim|structural (dis)?similarity|\bdssim",
        _PAIR,
        (ssim_window, ssim_constants, ssim_texture),
        ordered=True,
    ),
    Claim("PSNR", r"\bpsnr|peak signal", _PAIR, (psnr,), ordered=True, unless="ssim"),
    Claim(
        "SI-SDR", r"\bsi ?-?(sdr|snr|sisdr|sisnr)|scale[- ]invariant (sdr|snr|signal)", (ESTIMATE, REFERENCE), (si_sdr,)
    ),
    Claim(
        "spectral loss", r"\bstft|spectr(al|ogram)|magnitude spectr", (ESTIMATE, REFERENCE), (spectra,), ordered=True
    ),
    Claim("edge loss", r"sobel|\bedge|gradient (magnitude|difference|loss)", _PAIR, (edges,), ordered=True),
    Claim("edge-aware smoothness", r"edge.?aware|smoothness", (DEPTH, GUIDE), (edge_aware,)),
)
