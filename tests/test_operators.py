"""The C kernels equal the definition, whatever the inputs are: CONTRACT.md 5, 6, 9, 15, 16 and 19.

Every gradient is written into NaN amid memory that is not its own, so that neither an element that was left out nor
one that is another's can pass.
"""

from hypothesis import example, given, settings
from hypothesis import strategies as st

import operators
from operators import COLUMNS, IGNORED, INDICES, INPUTS, LABELS, LAYOUTS, LEVELS, LINKS, SOFT, WEIGHTS, Case

TOTALS, GRADIENT = 64, 32  # in units of 2^-24: up to 2048 numbers are added one by one in float32
MOST = 30_000  # elements


@st.composite
def cases(draw):
    link, soft = draw(st.sampled_from(LINKS)), draw(st.booleans())
    pick = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    c = draw(st.one_of(st.sampled_from((1, 2, 3, 4, 5, 8, 19, 33)), st.integers(1, 200)))
    c = max(c, 2) if link == "softmax" else c
    positions = draw(st.one_of(st.sampled_from((1, 15, 16, 17, 64, 65, 255, 2048)), st.integers(1, 3000)))
    positions = min(positions, MOST // c)
    n = draw(st.integers(1, max(1, min(5, MOST // (c * positions)))))
    n, space = pick(
        (n * positions, ()),
        (n, (positions,)),
        (n, (positions,)),
        (n, (-(-positions // 7), 7)),
        (n, (-(-positions // 15), 3, 5)),
        (n, (positions, 1)),
    )
    return Case(
        link=link, n=n, c=c, space=space, soft=soft,
        dtype=pick(*INPUTS),
        target_dtype=pick(*(SOFT if soft else LABELS if link == "sigmoid" else INDICES)),
        layout=pick(*LAYOUTS), target_layout=pick(*LAYOUTS),
        weight=pick("", *WEIGHTS), mask=draw(st.booleans()), ignore=pick(None, *IGNORED),
        shift=draw(st.booleans()), pooled=not space or draw(st.booleans()),
        columns=pick(*COLUMNS), scale=pick(0.1, 3.0, 30.0),
        level=pick(*LEVELS), seed=draw(st.integers(0, 10**6)),
    )  # fmt: skip


@settings(max_examples=400)
@given(cases())
@example(Case(n=4, c=19, space=(1, 2, 1), target_dtype="int16", mask=True, columns="all", level=0))
def test_sums_and_gradient_equal_the_definition(case):
    totals, gradient = operators.far_off(case)
    assert totals < TOTALS
    # logits as large as 100 are rounded before the exponential, once a shift was added
    assert gradient < GRADIENT + 4 * 5 * case.scale * case.shift
