"""The functions of csrc/maths.h and csrc/functions.h against double precision, in float32's units in the last place."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from losskit.ops import constants

ROOT = Path(__file__).parent.parent
COMPILER = shutil.which("gcc") or shutil.which("cc")
FLAGS = ("-O3", "-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror")
FLAGS += ("-shared", "-fPIC")
SHIM = """
#include "functions.h"
#define EACH(name, expression)                                          \\
    void name(const float *x, float *y, long n) {                      \\
        for (long i = 0; i < n; i += W) { vf v = load(x + i); store(y + i, expression); } \\
    }
EACH(exp_all, exp_(v))
EACH(expm1_all, expm1_(v))
EACH(log1p_unit_all, log1p_unit(v))
EACH(log1p_all, log1p_(v))
EACH(log_all, log_(v))
EACH(power_all, power(v, 1.7f))
EACH(reciprocal_all, reciprocal(v))
EACH(whole_log_all, log_whole(v))
EACH(whole_log1p_all, log1p_whole(v))
EACH(whole_expm1_all, expm1_whole(v))
EACH(whole_tanh_all, tanh_whole(v))
EACH(whole_sigmoid_all, sigmoid_whole(v))
EACH(whole_cosh_all, cosh_whole(v))
EACH(whole_sinh_all, sinh_whole(v))
EACH(whole_floor_all, floor_whole(v))
EACH(whole_round_all, round_whole(v))
EACH(whole_sign_all, sign_of(v))
EACH(power_of_1_7_all, power_whole(v, all(1.7f)))
EACH(power_of_minus_3_all, power_whole(v, all(-3.0f)))
EACH(power_of_12_all, power_whole(v, all(12.0f)))
EACH(power_of_0_3_all, power_whole(v, all(0.3f)))
EACH(power_of_0_all, power_whole(v, (vf){0}))
int width(void) { return W; }
"""
# As csrc/kernels_*.c ask for them, and what /proc/cpuinfo calls what they need.
SETS = {
    "plain": ("", ""),
    "avx2": ('#pragma GCC target("avx2,fma,f16c")\n#define SIMD_AVX2\n', "avx2"),
    "avx512": (
        '#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")\n#define SIMD_AVX512\n',
        "avx512vl",
    ),
}


def flags_of_this_processor():
    info = Path("/proc/cpuinfo")
    return set(info.read_text().split()) if info.exists() else set()


HERE = [name for name, (_, flag) in SETS.items() if not flag or flag in flags_of_this_processor()]


@pytest.fixture(scope="module", params=HERE)
def shim(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    assert COMPILER, "the kernels' functions are tested by themselves: install gcc"
    (folder / "shim.c").write_text(SETS[request.param][0] + SHIM)
    (folder / "constants.h").write_text(constants.HEADER)
    made = folder / "shim.so"
    subprocess.run(
        [COMPILER, *FLAGS, f"-I{ROOT / 'csrc'}", f"-I{folder}", folder / "shim.c", "-o", made, "-lm"], check=True
    )
    found = ctypes.CDLL(str(made))
    assert found.width() == {"plain": 4, "avx2": 8, "avx512": 16}[request.param]
    return found


def call(shim, name, x):
    x = np.ascontiguousarray(x, dtype=np.float32)
    padded = np.concatenate([x, np.ones(-len(x) % 64, dtype=np.float32)])
    y = np.empty_like(padded)
    pointer = ctypes.POINTER(ctypes.c_float)
    getattr(shim, f"{name}_all")(padded.ctypes.data_as(pointer), y.ctypes.data_as(pointer), ctypes.c_long(len(padded)))
    return y[: len(x)]


def ulps(found, exact):
    """The largest distance from the exact values, in units in the last place of float32 there."""
    unit = np.spacing(np.maximum(np.abs(exact), 2.0**-126).astype(np.float32)).astype(np.float64)
    return float((np.abs(found.astype(np.float64) - exact) / unit).max())


def spread(low, high, count=2_000_000):
    return np.linspace(low, high, count).astype(np.float32)


def by_magnitude(low, high, count=1_000_000):
    return np.exp2(np.linspace(np.log2(low), np.log2(high), count)).astype(np.float32)


FUNCTIONS = {
    # name: (where, the exact function, the largest error allowed in ULP)
    "exp": (spread(-87.3, 88.7), np.exp, 1.0),
    "expm1": (np.concatenate([spread(-100, 0), -by_magnitude(1e-30, 0.5)]), np.expm1, 2.0),
    "log1p_unit": (np.concatenate([spread(0, 1), by_magnitude(1e-30, 1)]), np.log1p, 2.0),
    "log1p": (np.concatenate([spread(0, 30), by_magnitude(1e-30, 1e30)]), np.log1p, 2.0),
    "log": (np.concatenate([by_magnitude(2.0**-126, 0.5), spread(1, 9), by_magnitude(1, 1e38)]), np.log, 2.0),
    # exp(1.7 log x): what the logarithm is rounded by counts as often as it is large
    "power": (by_magnitude(1e-20, 1), lambda x: x ** np.float64(np.float32(1.7)), 128.0),
    "reciprocal": (by_magnitude(2.0**-125, 2.0**125), lambda x: 1 / x, 0.6),
}

LINE = np.concatenate([by_magnitude(1e-44, 3e38), spread(0.4, 3), spread(0, 100)])
LINE = np.concatenate([LINE, -LINE])
AT_THE_ENDS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 2.0**-149, -(2.0**-149), 3.4e38, -3.4e38]


def raised(exponent):
    return lambda x: np.power(x, np.float64(np.float32(exponent)))


WHOLE = {
    # name: (the exact function on the whole line, the largest error allowed in ULP, and without fused multiply-add)
    "whole_log": (np.log, 2, 2),
    "whole_log1p": (np.log1p, 4, 4),
    "whole_expm1": (np.expm1, 4, 4),
    "whole_tanh": (np.tanh, 4, 4),
    "whole_sigmoid": (lambda x: 1 / (1 + np.exp(-x)), 4, 4),
    "whole_cosh": (np.cosh, 4, 4),
    "whole_sinh": (np.sinh, 4, 4),
    "whole_floor": (np.floor, 0, 0),
    "whole_round": (np.rint, 0, 0),
    "whole_sign": (lambda x: np.nan_to_num(np.sign(x)), 0, 0),
    "power_of_1_7": (raised(1.7), 24, 130),
    "power_of_minus_3": (raised(-3), 24, 130),
    "power_of_12": (raised(12), 24, 130),
    "power_of_0_3": (raised(0.3), 24, 130),
    "power_of_0": (raised(0), 0, 0),
}


@pytest.mark.parametrize("name", WHOLE)
def test_functions_of_formulas_are_right_on_the_whole_line(shim, name):
    exact, fused, apart = WHOLE[name]
    x = np.concatenate([np.float32(AT_THE_ENDS), LINE])
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.float64)).astype(np.float32)
    found = call(shim, name, x)
    usual = np.isfinite(expected) & (np.abs(expected) < 3.3e38)  # beside the largest number, infinity is near
    apart_from_these = ~np.isfinite(expected)
    np.testing.assert_array_equal(found[apart_from_these], expected[apart_from_these])
    with np.errstate(all="ignore"):
        exact_numbers = exact(x[usual].astype(np.float64))
    assert ulps(found[usual], exact_numbers) <= (apart if shim.width() == 4 else fused)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_are_as_small_as_stated(shim, name):
    x, exact, allowed = FUNCTIONS[name]
    assert ulps(call(shim, name, x), exact(x.astype(np.float64))) <= allowed


def test_the_ends_of_the_range(shim):
    nan, inf = np.nan, np.inf
    for name, x, y in (
        ("exp", [nan, inf, -inf, 0, -200, 200], [nan, inf, 0, 1, 0, inf]),
        ("log1p", [nan, 0, 1e38], [nan, 0, np.log1p(np.float64(1e38))]),
        ("log", [nan, 1], [nan, 0]),
        ("expm1", [0, -inf, -200], [0, -1, -1]),
        ("log1p_unit", [0, 1], [0, np.log(2)]),
        ("power", [0, 1], [0, 1]),
        ("reciprocal", [nan, 1], [nan, 1]),
    ):
        np.testing.assert_allclose(call(shim, name, x), np.array(y), rtol=1e-6, err_msg=name)


def test_the_logarithm_of_nearly_one_is_right_beside_one(shim):
    """Just below 1 it is the difference of two numbers near log 2, with their error."""
    x = spread(0.5, 1)
    assert np.abs(call(shim, "log", x) - np.log(x.astype(np.float64))).max() < 2.0**-23


def test_small_results_of_exp_round_rather_than_vanish(shim):
    x = spread(-103, -87.4)
    found, exact = call(shim, "exp", x).astype(np.float64), np.exp(x.astype(np.float64))
    assert (np.abs(found - exact) <= 2.0**-149 + 1e-6 * exact).all()
