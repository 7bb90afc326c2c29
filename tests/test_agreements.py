"""The reviewed lists of equal values and of intended differences from other libraries are both correct."""

from __future__ import annotations

import pytest

from deviations import DEVIATIONS, ERROR, Deviation
from equalities import EQUALITIES, Equality, difference
from peers import MODULES, SINGLE, peer

IN_SINGLE = ("Focal", "Lovasz", "Poly")  # losses that some peers compute in float32 whatever they are given
EXACT = {"kornia": 1e-8}  # its eps stays in the denominator


@pytest.mark.parametrize("row", EQUALITIES, ids=lambda row: f"{row.library}.{row.theirs}")
def test_equal(row: Equality) -> None:
    single = any(name in row.theirs for name in IN_SINGLE) or row.library == "fvcore"
    assert difference(row) < (SINGLE if single else EXACT.get(row.library, 1e-12))


@pytest.mark.parametrize("row", DEVIATIONS, ids=lambda row: f"{row.library}.{row.loss}")
def test_different(row: Deviation) -> None:
    theirs, ours = row.values()
    assert 1 <= row.line <= 26
    if ours is ERROR:
        assert float(theirs) >= 0
    else:
        assert float(ours) == pytest.approx(float(ours))  # ours is a number
        assert not abs(float(theirs) - float(ours)) <= 1e-9 * abs(float(ours))


def test_a_missing_peer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "nowhere", "no_such_library.losses")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ImportError, match=r"nowhere .* cannot be imported: .*In CI every peer must be installed"):
        peer("nowhere")
