"""ctypes mirrors of the structures of csrc/call.h; losskit_abi() verifies the size of `Call`."""

from __future__ import annotations

import ctypes

from losskit.ops import constants

_REGION = len(constants.REGION_COLUMNS)


class View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("type", ctypes.c_int64),
        ("n", ctypes.c_int64),
        ("c", ctypes.c_int64),
        ("s", ctypes.c_int64),
    ]


Doubles, Slots = ctypes.c_double * 4, ctypes.c_int64 * 4


class Term(ctypes.Structure):
    _fields_ = [("constants", Doubles), ("places", Slots), ("program", ctypes.c_void_p)]


class Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("N", "C", "S", "K", "link", "dense", "has_ignore", "ignore")),
        *((name, ctypes.c_int64) for name in ("pooled", "threads", "stream")),
        *((name, View) for name in ("input", "target", "weight", "mask", "gradient")),
        ("logit_bias", ctypes.c_void_p),
        ("coefficients", ctypes.c_void_p),
        ("coefficients_n", ctypes.c_int64),
        ("totals", ctypes.c_void_p),
        ("region", ctypes.c_int64 * _REGION),
        ("terms", ctypes.c_int64),
        ("term", Term * constants.MOST_TERMS),
        ("neutral", ctypes.c_double * 2),
        ("numbers", ctypes.c_int64),
        ("number", ctypes.c_double * constants.MOST_NUMBERS),
        ("problem", ctypes.c_int64),
        ("bad_value", ctypes.c_double),
        ("keys", ctypes.c_void_p),
        ("keep_increments", ctypes.c_int64),
        ("activations", ctypes.c_int64),
        ("activations_not_saved", ctypes.c_int64),
    ]


class Wasserstein(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("input", "target", "distances", "gradient", "sums")),
        *((name, ctypes.c_int64) for name in ("N", "C", "S", "threads")),
    ]
