"""The pytest plugin: `def test_my_loss(check_loss): check_loss(MyLoss())`.

It is a package of its own because pytest imports its plugins at every start: losskit, and with it torch, comes only
when a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from losskit.checker.finding import Report


@pytest.fixture
def check_loss() -> Callable[..., Report]:
    """Check a loss and fail the test with what was found; the arguments are those of `losskit.check`.

    `strict=True` fails for traps too, and `waive={"check-id": "reason"}` adds to the waivers of pyproject.toml.
    """

    def checked(
        criterion: Any, *tensors: Any, strict: bool = False, waive: dict[str, str] | None = None, **options: Any
    ) -> Report:
        __tracebackhide__ = True
        from losskit.checker import check
        from losskit.checker.waivers import waivers_for

        name = criterion if isinstance(criterion, str) else type(criterion).__name__
        report = check(criterion, *tensors, waive={**waivers_for(name), **(waive or {})}, **options)
        if report.exit_code(strict):
            pytest.fail(str(report), pytrace=False)
        return report

    return checked
