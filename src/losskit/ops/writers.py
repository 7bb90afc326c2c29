"""Translates PyTorch operations into tape operations. A writer takes the recorder and the arguments of the call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from losskit.ops.tape import Register, Untraceable


class Recorder(Protocol):
    """Interface of the recorder: see losskit.ops.recorder."""

    fixed: set[int]

    def register(self, operand: Any) -> Register: ...
    def number(self, operand: Any) -> float | None: ...
    def write(self, name: str, *operands: Any) -> Register: ...


_Writer = Callable[..., Register]


def _scaled(r: Recorder, other: Any, alpha: float) -> Any:
    return other if alpha == 1 else r.write("multiply", other, alpha)


def _clamp(r: Recorder, a: Any, min: Any = None, max: Any = None) -> Register:
    register = r.register(a)
    for bound, is_least in ((min, True), (max, False)):
        if bound is not None:  # at the bound itself the gradient is that of the input
            limit = r.register(bound)
            outside = r.write("less", *((register, limit) if is_least else (limit, register)))
            register = r.write("where", outside, limit, register)
    return register


def _power(r: Recorder, base: Any, exponent: Any) -> Register:
    if r.register(exponent) not in r.fixed and not (r.number(base) or -1) > 0:
        raise Untraceable("it raises to a power that differs between elements")
    return r.write("power", base, exponent)


def _divide(r: Recorder, a: Any, b: Any, rounding_mode: str | None = None) -> Register:
    if rounding_mode is not None:
        raise Untraceable(f"it divides with rounding_mode={rounding_mode!r}")
    return r.write("divide", a, b)


def _trunc(r: Recorder, a: Any) -> Register:
    return r.write("multiply", r.write("sign", a), r.write("floor", r.write("absolute", a)))


def _softplus(r: Recorder, x: Any, beta: Any = 1, threshold: Any = 20) -> Register:
    scaled = r.write("multiply", x, beta)
    curve = r.write("divide", r.write("log1p", r.write("exp", scaled)), beta)
    return r.write("where", r.write("less", threshold, scaled), x, curve)


def _softplus_slope(r: Recorder, grad: Any, x: Any, beta: Any, threshold: Any) -> Register:
    scaled = r.write("multiply", x, beta)
    z = r.write("exp", scaled)
    curve = r.write("divide", r.write("multiply", grad, z), r.write("add", z, 1.0))
    return r.write("where", r.write("less", threshold, scaled), grad, curve)


def _exp_of_minus_size(r: Recorder, x: Any) -> Register:
    return r.write("exp", r.write("negate", r.write("absolute", x)))


def _log_sigmoid(r: Recorder, x: Any) -> Register:
    below = r.write("where", r.write("less", x, 0.0), x, 0.0)
    return r.write("subtract", below, r.write("log1p", _exp_of_minus_size(r, x)))


def _log_sigmoid_slope(r: Recorder, grad: Any, x: Any, buffer: Any) -> Register:  # noqa: ARG001
    z, below = _exp_of_minus_size(r, x), r.write("less", x, 0.0)
    share = r.write("divide", z, r.write("add", z, 1.0))
    slope = r.write("where", below, r.write("subtract", 1.0, share), share)
    return r.write("multiply", grad, slope)


def _elementwise_loss(name: str, near: Callable[..., Any], far: Callable[..., Any]) -> _Writer:
    def write(r: Recorder, input: Any, target: Any, reduction: int = 1, limit: float = 1.0) -> Register:
        if reduction:
            raise Untraceable(f"it reduces: {name}")
        size = r.write("absolute", r.write("subtract", input, target))
        return r.write("where", r.write("less", size, limit), near(r, size, limit), far(r, size, limit))

    return write


def _elementwise_slope(scale: Callable[[float], float], outside: Callable[[float], float]) -> _Writer:
    def write(r: Recorder, grad: Any, input: Any, target: Any, reduction: int, limit: float) -> Register:  # noqa: ARG001
        error, beyond = r.write("subtract", input, target), r.write("multiply", grad, outside(limit))
        inside = r.write("multiply", r.write("multiply", error, scale(limit)), grad)
        above = r.write("where", r.write("less_equal", limit, error), beyond, inside)
        return r.write("where", r.write("less_equal", error, -limit), r.write("negate", beyond), above)

    return write


def _half_square(r: Recorder, size: Register, scale: float) -> Register:
    return r.write("multiply", r.write("multiply", size, scale), size)


def _squared(r: Recorder, a: Any, b: Any, reduction: int = 1) -> Register:
    if reduction:
        raise Untraceable("it reduces: mse_loss")
    error = r.write("subtract", a, b)
    return r.write("multiply", error, error)


def _squared_slope(r: Recorder, grad: Any, a: Any, b: Any, reduction: int) -> Register:  # noqa: ARG001
    return r.write("multiply", r.write("multiply", r.write("subtract", a, b), 2.0), grad)


def _cross_entropy(
    r: Recorder, x: Any, target: Any, weight: Any = None, pos_weight: Any = None, reduction: int = 1
) -> Register:
    if reduction or weight is not None or pos_weight is not None:
        raise Untraceable("it reduces or weighs: binary_cross_entropy_with_logits")
    return r.write("subtract", r.write("multiply", r.write("subtract", 1.0, target), x), _log_sigmoid(r, x))


def _xlogy(r: Recorder, x: Any, y: Any) -> Register:
    product = r.write("where", r.write("equal", x, 0.0), 0.0, r.write("multiply", x, r.write("log", y)))
    return r.write("where", r.write("not_equal", y, y), y, product)


def _log_of_sum(r: Recorder, a: Any, b: Any) -> Register:
    most = r.write("maximum", a, b)
    curve = r.write("log1p", _exp_of_minus_size(r, r.write("subtract", a, b)))
    infinite = r.write("equal", r.write("absolute", a), math.inf)
    return r.write("where", r.write("and", infinite, r.write("equal", a, b)), a, r.write("add", most, curve))


def _sigmoid_slope(r: Recorder, grad: Any, y: Any) -> Register:
    return r.write("multiply", r.write("multiply", grad, r.write("subtract", 1.0, y)), y)


def _tanh_slope(r: Recorder, grad: Any, y: Any) -> Register:
    return r.write("multiply", grad, r.write("subtract", 1.0, r.write("multiply", y, y)))


def _silu_slope(r: Recorder, grad: Any, x: Any) -> Register:
    share = r.write("sigmoid", x)
    rest = r.write("add", 1.0, r.write("multiply", x, r.write("subtract", 1.0, share)))
    return r.write("multiply", r.write("multiply", grad, share), rest)


def _leaky(r: Recorder, x: Any, slope: float = 0.01) -> Register:
    return r.write("where", r.write("less", 0.0, x), x, r.write("multiply", x, slope))


def _leaky_slope(r: Recorder, grad: Any, x: Any, slope: float, result: bool) -> Register:  # noqa: ARG001
    return r.write("where", r.write("less", 0.0, x), grad, r.write("multiply", grad, slope))


def _elu(r: Recorder, x: Any, alpha: float = 1, scale: float = 1, inner: float = 1) -> Register:
    curve = r.write("multiply", r.write("expm1", r.write("multiply", x, inner)), alpha * scale)
    return r.write("where", r.write("less_equal", x, 0.0), curve, r.write("multiply", x, scale))


def _elu_slope(r: Recorder, grad: Any, alpha: float, scale: float, inner: float, is_result: bool, x: Any) -> Register:
    if is_result:
        curve = r.write("multiply", r.write("add", x, alpha * scale), inner)
    else:
        curve = r.write("multiply", r.write("exp", r.write("multiply", x, inner)), alpha * scale * inner)
    slope = r.write("where", r.write("less_equal", x, 0.0), curve, scale)
    return r.write("multiply", grad, slope)


def _hardtanh_slope(r: Recorder, grad: Any, x: Any, least: float, most: float) -> Register:
    outside = r.write("or", r.write("less_equal", x, least), r.write("less_equal", most, x))
    return r.write("where", outside, 0.0, grad)


def _plain(name: str) -> _Writer:
    return lambda r, *operands: r.write(name, *operands)


NUMBERS = {"alpha", "min", "max", "value", "rounding_mode"}
KEYWORDS = {*NUMBERS, "dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking"}
ALIASES = {"clone", "alias", "detach", "contiguous"}
CASTS = {"_to_copy", "copy"}
SAME_SHAPE = {"expand", "view", "_unsafe_view", "reshape", "squeeze", "unsqueeze", "view_as"}
CONSTANTS = {
    "scalar_tensor", "ones_like", "zeros_like", "full_like", "full", "ones", "zeros", "new_ones", "new_zeros",
    "new_full", "zero", "lift_fresh",
}  # fmt: skip
_COMPARISONS: dict[str, _Writer] = {
    "lt": _plain("less"),
    "le": _plain("less_equal"),
    "gt": lambda r, a, b: r.write("less", b, a),
    "ge": lambda r, a, b: r.write("less_equal", b, a),
    "eq": _plain("equal"),
    "ne": _plain("not_equal"),
    "isnan": lambda r, a: r.write("not_equal", a, a),
    "isinf": lambda r, a: r.write("equal", r.write("absolute", a), math.inf),
    "isfinite": lambda r, a: r.write("less", r.write("absolute", a), math.inf),
    **{f"{kind}_{name}": _plain(name) for kind in ("logical", "bitwise") for name in ("and", "or", "not")},
}
OF_BOOLS = {"mul", *_COMPARISONS, *CONSTANTS, *ALIASES, *CASTS, "fill", "where", "expand"}
OF_WHOLES = {*CONSTANTS, "clone", "_to_copy", "detach", "fill", "add", "sub", "rsub", "mul", "neg"}
READERS = {"_local_scalar_dense": "it reads a number out of a tensor, as a branch, float() or .item() does"}
WRITERS: dict[str, _Writer] = {
    **_COMPARISONS,
    "add": lambda r, a, b, alpha=1: r.write("add", a, _scaled(r, b, alpha)),
    "sub": lambda r, a, b, alpha=1: r.write("subtract", a, _scaled(r, b, alpha)),
    "rsub": lambda r, a, b, alpha=1: r.write("subtract", b, _scaled(r, a, alpha)),
    "mul": _plain("multiply"),  # also for conditions, which are 1 or 0
    "div": _divide,
    "reciprocal": lambda r, a: r.write("divide", 1.0, a),
    "rsqrt": lambda r, a: r.write("divide", 1.0, r.write("sqrt", a)),
    "fill": lambda r, a, value: r.register(value),  # noqa: ARG005
    "addcmul": lambda r, a, b, c, value=1: r.write("add", a, r.write("multiply", _scaled(r, b, value), c)),
    "addcdiv": lambda r, a, b, c, value=1: r.write("add", a, r.write("divide", _scaled(r, b, value), c)),
    "neg": _plain("negate"),
    "abs": _plain("absolute"),
    "sign": _plain("sign"),
    "sgn": _plain("sign"),
    "pow": _power,
    "exp2": lambda r, a: r.write("power", 2.0, a),
    "log2": lambda r, a: r.write("divide", r.write("log", a), math.log(2)),
    "log10": lambda r, a: r.write("divide", r.write("log", a), math.log(10)),
    "xlogy": _xlogy,
    "logaddexp": _log_of_sum,
    "floor": _plain("floor"),
    "ceil": lambda r, a: r.write("negate", r.write("floor", r.write("negate", a))),
    "round": _plain("round"),
    "trunc": _trunc,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda r, a, bound: _clamp(r, a, None, bound),
    "hardtanh": lambda r, a, least=-1, most=1: _clamp(r, a, least, most),
    "hardtanh_backward": _hardtanh_slope,
    "relu": lambda r, a: r.write("where", r.write("less_equal", a, 0.0), 0.0, a),
    "threshold_backward": lambda r, g, a, limit: r.write("where", r.write("less_equal", a, limit), 0.0, g),
    "leaky_relu": _leaky,
    "leaky_relu_backward": _leaky_slope,
    "elu": _elu,
    "elu_backward": _elu_slope,
    "silu": lambda r, a: r.write("multiply", a, r.write("sigmoid", a)),
    "silu_backward": _silu_slope,
    "sigmoid_backward": _sigmoid_slope,
    "tanh_backward": _tanh_slope,
    "softplus": _softplus,
    "softplus_backward": _softplus_slope,
    "log_sigmoid_forward": _log_sigmoid,
    "log_sigmoid_backward": _log_sigmoid_slope,
    "binary_cross_entropy_with_logits": _cross_entropy,
    "mse_loss": _squared,
    "mse_loss_backward": _squared_slope,
    "huber_loss": _elementwise_loss(
        "huber_loss",
        lambda r, size, limit: _half_square(r, size, 0.5),  # noqa: ARG005
        lambda r, size, limit: r.write("multiply", r.write("subtract", size, limit / 2), limit),
    ),
    "huber_loss_backward": _elementwise_slope(lambda limit: 1.0, lambda limit: limit),  # noqa: ARG005
    "smooth_l1_loss": _elementwise_loss(
        "smooth_l1_loss",
        lambda r, size, limit: r.write("divide", _half_square(r, size, 0.5), limit),
        lambda r, size, limit: r.write("subtract", size, limit / 2),
    ),
    "smooth_l1_loss_backward": _elementwise_slope(lambda limit: 1 / limit, lambda limit: 1.0),  # noqa: ARG005
    "masked_fill": lambda r, a, mask, value: r.write("where", mask, value, a),
    "where": _plain("where"),
    **{
        name: _plain(name)
        for name in (
            "exp", "expm1", "log", "log1p", "sqrt", "minimum", "maximum", "tanh", "sigmoid", "cosh", "sinh",
        )
    },
}  # fmt: skip
