"""The code of the pages runs as written."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

import losskit
from losskit import build

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from extension import identities, reference  # noqa: E402
from extension.run import execute  # noqa: E402

from cases import ENTRIES, made  # noqa: E402

# The other pages measure peers or run the command line, which the build of the pages does.
PAGES = ["index", "quickstart", "write-your-own-loss", "composites-and-schedules", "many-machines"]
PAGES += [f"decisions/{path.stem}" for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))]

_BLOCK = re.compile(r"^```\{run\}\n(?P<options>(?::[^\n]*\n)*)(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_RAISES = re.compile(r"^:raises: (\w+)$", re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str | None]]:
    """The code of a page's blocks, each with the error that it must raise."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    assert text.count("```{run}") == len(_BLOCK.findall(text)), "a block is not closed"
    found = []
    for match in _BLOCK.finditer(text):
        raises = _RAISES.search(match["options"])
        found.append((match["code"], raises[1] if raises else None))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_code_of_page_runs(page: str) -> None:
    name = f"page_{page}"
    sys.modules[name] = module = types.ModuleType(name)
    try:
        for code, raises in blocks(page):
            execute(code, module, raises)
    finally:
        del sys.modules[name]


def test_pages_with_code_have_code() -> None:
    assert len(blocks("quickstart")) > 8
    assert len(blocks("write-your-own-loss")) > 10


def test_segmentation_example_learns() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "segmentation.py")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *_, last = (float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines())
    assert last > first + 0.3


def test_own_losses_example_is_found_and_right() -> None:
    place = (ROOT / "examples" / "my_losses.py").as_posix()
    logits, target = identities._binary()
    ours = build(f"{place}:my_dice(smooth=0.5)", references=True)(logits, target)
    torch.testing.assert_close(ours, build("dice(smooth=0.5)")(logits, target))
    pinball = build(f"{place}:PinballLoss(below=3)", references=True)
    pinball = pinball(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 2.0]))
    assert pinball.item() == (3 * 1 + 1 * 2) / 2


def test_decision_page_names_every_loss() -> None:
    page = (ROOT / "docs" / "which-loss-when.md").read_text()
    code = " ".join(re.findall(r"`([^`]+)`", page))
    composed = [name for name in dir(losskit.compose) if name[0].isupper()]
    missing = [name for name in [*(e.loss.__name__ for e in ENTRIES), *composed] if not re.search(rf"\b{name}\b", code)]
    assert not missing, "add them to a row of docs/which-loss-when.md"


def test_reference_has_every_public_name() -> None:
    page = (ROOT / "docs" / "reference.md").read_text()
    listed = set(re.findall(r"auto\w+:: (losskit\S*)", page))
    listed |= {f"losskit.{name}" for name in re.findall(r"py:data:: (\w+)", page)}
    listed |= set(re.findall(r"py:module(?:::|\}) (losskit\.\S+)", page))
    generated = "\n".join(reference.entries_of(entry, "") for entry in ENTRIES)
    listed |= {f"losskit.{name}" for name in re.findall(r"py:class:: (\w+)", generated)}
    listed |= {f"losskit.functional.{name}" for name in re.findall(r"py:function:: (\w+)", generated)}
    public = {f"losskit.{name}" for name in dir(losskit)}
    public |= {f"losskit.functional.{name}" for name in dir(losskit.functional)}
    public |= {f"losskit.distributed.{name}" for name in dir(losskit.distributed)}
    public |= {f"losskit.compose.{name}" for name in dir(losskit.compose) if f"losskit.{name}" not in public}
    assert public == listed


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_argument_of_a_call_is_described(entry):
    described = reference.call(entry.loss, "")
    _, *arguments = described.split("\n\n")
    for name in list(inspect.signature(entry.loss.forward).parameters)[1:]:
        assert any(f"``{name}``" in argument for argument in arguments)


def test_failing_block_fails_page() -> None:
    module = types.ModuleType("page")
    with pytest.raises(ZeroDivisionError):
        execute("1 / 0", module)
    with pytest.raises(ZeroDivisionError):
        execute("1 / 0", module, raises="ValueError")
    with pytest.raises(AssertionError, match="was not"):
        execute("1", module, raises="ValueError")


def test_block_shows_what_it_prints_and_its_last_value() -> None:
    module = types.ModuleType("page")
    assert execute("x = 2\nprint(x)\nx + 1", module) == "2\n3\n"
    assert execute("x", module) == "2\n"


def test_wrong_identity_is_refused() -> None:
    wrong = identities._equal("dice", "iou", identities._binary(), ("dice", "iou"))
    with pytest.raises(AssertionError, match="differs"):
        wrong.difference()


def test_identities_hold_and_name_losses_that_exist() -> None:
    identities.check()
    for entry in ENTRIES:
        for identity in identities.of(entry.loss):
            assert identity.difference() < 1e-6


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_what_is_said_of_many_machines_is_what_sync_does(entry):
    criterion = made(entry)
    said = criterion.across_ranks
    assert criterion.summable is said.startswith("exact")
