"""Constants shared by C, Triton and Python. setup.py loads this file by path, so it must not import torch."""

import zlib
from typing import Literal, get_args

STRUCTURES = 5  # increment if an entry point is added, or a structure of csrc/call.h changes without changing its size

DTYPES = ("float32", "float16", "bfloat16", "float64", "bool", "uint8", "int8", "int16", "int32", "int64")
LINKS = ("sigmoid", "softmax", "difference")
RegionColumn = Literal[
    "tp", "pred", "target", "count", "pred_sq", "target_sq",
    "tp_l1", "fp_l1", "fn_l1",  # min(p, t), and the excess of p and of t over it
]  # fmt: skip
REGION_COLUMNS: tuple[RegionColumn, ...] = get_args(RegionColumn)
PROBLEMS = ("no_problem", "bad_index", "bad_label", "bad_row", "bad_soft", "bad_weight")
ACTIVATIONS = ("no_activations", "save_activations", "use_activations")

# Operations of formulas; see csrc/operations.h
OPERATIONS = (
    "constant", "add", "subtract", "multiply", "multiply_add", "divide", "negate", "copy", "absolute", "sign", "exp",
    "expm1", "log", "log1p", "sqrt", "power", "minimum", "maximum", "tanh", "sigmoid", "cosh", "sinh", "floor", "round",
    "less", "less_equal", "equal", "not_equal", "and", "or", "not", "where",
)  # fmt: skip
MOST_REGISTERS = 96  # in a formula of totals
MOST_ROWS = 28  # intermediate rows of an element-wise formula
MOST_NUMBERS = 4  # 0-dim tensors that it reads

# Parts of a whole loss
FINISHES = ("mean_of_terms", "region_formula")
REDUCTIONS = ("mean", "sum")
EMPTY = ("zero", "nan")
ABSENT = ("formula", "skip", "penalize")
GRADIENTS = ("value_only", "gradient_with_totals", "gradient_after_totals", "gradient_later")
RESULTS = {"done": 0, "out_of_memory": 1, "bad_value": 2, "to_be_scaled": 4, "saved": 8}  # flags
MOST_PARTS = 8

MOST_TERMS = 8
MOST_WEIGHT = 1e30  # of an element: float32 can represent the sum of as many as fit in memory
FEW_CLASSES = 8  # the exponentials of up to this many classes fit in registers, and are saved for the gradient
ROW_TOLERANCE = 1e-3  # allowed deviation from 1 of the sum of soft labels at a position, besides rounding

# Polynomials, highest power first
EXP_TAIL = (0.000198909809, 0.00139336416, 0.00833331048, 0.0416664667, 0.166666672, 0.5)
LOG1P_OVER_Z = (
    -0.00317605701, 0.0195425265, -0.0563736111, 0.105436236, -0.152696669, 0.196632743, -0.249516159, 0.333297104,
    -0.499998927, 1.0,
)  # fmt: skip
LOG_TAIL = (
    0.0674647912, -0.11675591, 0.118882045, -0.124056026, 0.142195478, -0.166679949, 0.200021192, -0.250000089,
    0.333333135,
)  # fmt: skip
EXPM1_SMALL = -0.34  # between this and 0, expm1 is a separate polynomial


def _horner(coefficients: tuple[float, ...]) -> str:
    """The polynomial in C, for vectors. Unrolled, since a loop over the coefficients is 3 % slower."""
    found = f"all({coefficients[0]!r}f)"
    for value in coefficients[1:]:
        found = f"fma_({found}, z, all({value!r}f))"
    return found


def _prefixed(prefix: str, names: tuple[str, ...]) -> list[str]:
    return [f"{prefix}_{name}" for name in names]


def _header() -> str:
    enumerations = (
        DTYPES, LINKS, (*REGION_COLUMNS, "region_columns"), PROBLEMS, ACTIVATIONS, FINISHES, GRADIENTS,
        _prefixed("op", OPERATIONS), _prefixed("reduce", REDUCTIONS), _prefixed("empty", EMPTY),
        _prefixed("absent", ABSENT), [f"{name} = {flag}" for name, flag in RESULTS.items()],
    )  # fmt: skip
    numbers = {
        "MOST_TERMS": MOST_TERMS, "FEW_CLASSES": FEW_CLASSES, "MOST_PARTS": MOST_PARTS,
        "MOST_REGISTERS": MOST_REGISTERS, "MOST_ROWS": MOST_ROWS, "MOST_NUMBERS": MOST_NUMBERS,
    }  # fmt: skip
    floats = {"ROW_TOLERANCE": ROW_TOLERANCE, "EXPM1_SMALL": EXPM1_SMALL, "MOST_WEIGHT": MOST_WEIGHT}
    polynomials = {"EXP_TAIL": EXP_TAIL, "LOG1P_OVER_Z": LOG1P_OVER_Z, "LOG_TAIL": LOG_TAIL}
    lines = [
        f"/* Written by setup.py from losskit/ops/constants.py; structures {STRUCTURES}. */",
        "#pragma once",
        *(f"enum {{ {', '.join(names).upper()} }};" for names in enumerations),
        *(f"#define {name} {value}" for name, value in numbers.items()),
        *(f"#define {name} {value!r}f" for name, value in floats.items()),
        *(f"#define {name}(z) {_horner(values)}" for name, values in polynomials.items()),
    ]
    return "\n".join(lines) + "\n"


FINGERPRINT = zlib.crc32(_header().encode())  # changes if anything above does
HEADER = f"{_header()}#define FINGERPRINT {FINGERPRINT}ll\n"  # csrc/constants.h
