"""The page of losskit check in a real browser: it fits a phone and a wide screen, and follows light and dark."""

import pytest

import losskit
from losskit.building.references import Reference, load
from losskit.checker.render import write_page
from test_check_subject import SNIPPETS
from test_report_browser import DARK, browse, luminance

pytestmark = pytest.mark.browser

LOOK = """(page, view) => {
  const root = page.documentElement;
  for (const details of page.querySelectorAll("details")) details.open = true;
  const wide = [...page.querySelectorAll("main *")].filter(
    e => !e.closest(".scroll, pre") && e.getBoundingClientRect().right > root.clientWidth + 1);
  const ink = what => view.getComputedStyle(page.querySelector(what)).color;
  return {
    width: root.clientWidth,
    content: root.scrollWidth,
    wide: wide.map(e => e.tagName + " " + e.className),
    paper: view.getComputedStyle(page.body).backgroundColor,
    inks: [ink("body"), ink(".verdict"), ink(".soft"), ink("article dd"), ink("details .tag")],
    outside: view.performance.getEntriesByType("resource").map(e => e.name),
  };
}"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    loss = load(Reference(SNIPPETS, "DiceBCELoss"))()
    some = ["float64-disagrees", "half-disagrees", "transposed-target", "empty-batch", "depends-on-batch"]
    path = tmp_path_factory.mktemp("page") / "check.html"
    write_page(losskit.check(loss, select=some, isolate=False), path)
    return path.read_text()


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1400, True)])
def test_fits_the_window_and_follows_light_and_dark_with_enough_contrast(page, tmp_path, width, dark):
    seen = browse(page, tmp_path, width, LOOK, *([DARK] if dark else []))
    assert width - 20 <= seen["width"] <= width
    assert seen["content"] <= seen["width"]
    assert seen["wide"] == []
    assert seen["outside"] == []
    paper = luminance(seen["paper"])
    for ink in map(luminance, seen["inks"]):
        assert (paper < ink) == dark
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 5.5
