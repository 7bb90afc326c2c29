"""The report in a real browser: it fits a phone and a wide screen, light and dark, and does what it promises."""

import csv
import html
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from findings import EVIL, LEVELS, comparison
from losskit.experiment.report import write_report

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--window-size=1500,1000",
)
DARK = "--blink-settings=preferredColorScheme=0"

# A frame of any width shows the page; then what a script finds there is written down as text.
PAGE = """<body><iframe width="{width}" height="900" srcdoc="{report}"></iframe><script>
onload = async () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument, view = frame.contentWindow;
  const found = await ({script})(page, view);
  document.body.textContent = JSON.stringify(found);
}};
</script></body>"""

LOOK = """(page, view) => {
  const root = page.documentElement;
  for (const details of page.querySelectorAll("details")) details.open = true;
  const wide = [...page.querySelectorAll("main *")].filter(
    e => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > root.clientWidth + 1);
  const style = e => view.getComputedStyle(e);
  const lines = [...page.querySelectorAll(".chart g[id$='-line'] > path")];
  const ids = [...page.querySelectorAll("[id]")].map(e => e.id);
  return {
    width: root.clientWidth,
    content: root.scrollWidth,
    wide: wide.map(e => e.tagName + " " + e.className),
    images: [...page.images].map(e => [e.naturalWidth, e.getBoundingClientRect().width, e.alt]),
    seen: [...page.querySelectorAll("#scores-table thead th")].filter(
      e => e.getBoundingClientRect().right <= e.closest(".scroll").getBoundingClientRect().right + 1).map(
      e => e.textContent.trim()),
    charts: [...page.querySelectorAll(".chart")].map(e => e.getBoundingClientRect().width),
    ink: style(page.body).color,
    paper: style(page.body).backgroundColor,
    axis: style(page.querySelector(".chart svg text")).fill,
    lines: lines.map(e => style(e).stroke),
    dashes: lines.map(e => style(e).strokeDasharray),
    twice: ids.filter((id, n) => ids.indexOf(id) !== n),
    unnamed: [...page.querySelectorAll("[role=img], [role=group], [role=region]")].filter(
      e => !(e.getAttribute("aria-label") || "").trim()).length,
    smallest: Math.min(...[...page.querySelectorAll(".chart svg text")].map(e => e.getBoundingClientRect().height)),
    outside: view.performance.getEntriesByType("resource").map(e => e.name).filter(name => !name.startsWith("data:")),
  };
}"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    found = comparison(tmp_path_factory.mktemp("report"))
    write_report(found)
    return found.report.read_text(encoding="utf-8")


def browse(report: str, folder: Path, width: int, script: str, *flags: str):
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not installed: apt-get install chromium"
    page = folder / "page.html"
    page.write_text(PAGE.format(width=width, report=html.escape(report), script=script), encoding="utf-8")
    shown = subprocess.run(
        [chromium, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = re.search(r"<body>(\{.*\})", shown.stdout, re.DOTALL)
    assert seen is not None, "the page did not load"
    return json.loads(html.unescape(seen[1]))


@pytest.fixture(scope="module")
def looks(report, tmp_path_factory):
    """What the page looks like: (width, dark) -> findings."""
    found = {}
    for width, flags in ((360, ()), (390, (DARK,)), (1400, ()), (1400, (DARK,))):
        found[width, bool(flags)] = browse(report, tmp_path_factory.mktemp("look"), width, LOOK, *flags)
    return found


EVERYWHERE = pytest.mark.parametrize(("width", "dark"), [(360, False), (390, True), (1400, False), (1400, True)])


@EVERYWHERE
def test_fits_the_window(looks, width, dark):
    seen = looks[width, dark]
    assert width - 20 <= seen["width"] <= width
    assert seen["content"] <= seen["width"]
    assert seen["wide"] == []


def test_calibration_and_threshold_are_seen_without_a_scroll(looks):
    seen = looks[1400, False]["seen"]
    assert {"expected calibration error (lower is better)", "chosen threshold"} <= set(seen)


@EVERYWHERE
def test_pictures_appear_and_say_what_they_show(looks, width, dark):
    seen = looks[width, dark]
    assert len(seen["images"]) == 7 * len(LEVELS)  # six test images and the coins
    for natural, shown, words in seen["images"]:
        assert natural > 0
        assert shown >= 90
        assert len(words) > 20
    assert len(seen["charts"]) == 4
    assert all(300 <= chart <= 640 for chart in seen["charts"])
    assert seen["smallest"] >= 10  # pixels of the letters on an axis, with their leading
    assert seen["unnamed"] == 0


@EVERYWHERE
def test_follows_light_and_dark(looks, width, dark):
    seen = looks[width, dark]
    assert (luminance(seen["paper"]) < luminance(seen["ink"])) == dark
    assert contrast(seen["ink"], seen["paper"]) > 7  # WCAG's enhanced contrast
    assert seen["axis"] == seen["ink"]
    assert min(contrast(line, seen["paper"]) for line in seen["lines"]) > 3  # WCAG's contrast of graphics


def test_losses_are_told_apart_without_colour(looks):
    seen = looks[1400, False]
    first = seen["dashes"][: len(LEVELS)]
    assert len(set(first)) == 4  # then marks tell: five losses, five of them
    assert seen["twice"] == []


def test_the_page_asks_for_nothing_outside(looks):
    assert all(seen["outside"] == [] for seen in looks.values())


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    """WCAG's relative luminance of rgb(r, g, b)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


USE = """async (page, view) => {
  const column = (n) => [...page.querySelector("#scores-table").tBodies[0].rows].filter(r => !r.hidden).map(
    r => r.cells[n].dataset.value === undefined ? r.cells[n].textContent.trim() : +r.cells[n].dataset.value);
  const found = { first: column(2) };
  const head = page.querySelectorAll("#scores-table th")[2];
  head.querySelector("button").click();
  found.ascending = column(2);
  head.querySelector("button").click();
  found.descending = column(2);
  found.sorted = head.getAttribute("aria-sort");

  page.querySelector("#scores-table").closest(".scroll").previousElementSibling.querySelector("button").click();
  await new Promise(done => setTimeout(done, 100));
  found.csv = page.querySelector("#scores-table").dataset.copied;

  const pairs = page.querySelector("#pairs-table");
  pairs.tBodies[0].rows[0].cells[0].textContent = '=HYPERLINK("http://example.org")';
  pairs.tBodies[0].rows[0].cells[1].textContent = "-1 * dice";
  pairs.closest(".scroll").previousElementSibling.querySelector("button").click();
  await new Promise(done => setTimeout(done, 100));
  found.formulas = pairs.dataset.copied;

  const chart = page.querySelector("#rates-figure .chart"), svg = chart.querySelector("svg");
  const readout = page.querySelector("#rates-figure .readout");
  found.invitation = readout.textContent;
  const point = JSON.parse(page.querySelector("#rates-figure script").textContent).filter(
    each => each.loss === 3)[1];
  const place = new view.DOMPoint(point.x + 4, point.y - 4).matrixTransform(svg.getScreenCTM());
  chart.dispatchEvent(new view.PointerEvent("pointermove", { clientX: place.x, clientY: place.y }));
  found.pointed = readout.textContent;
  found.expected = point.words;
  const marks = [...svg.querySelectorAll("g[id='rates-loss3-line'] use")].map(e => e.getBoundingClientRect());
  const ring = svg.querySelector("circle").getBoundingClientRect();
  found.distance = Math.min(...marks.map(m => Math.hypot(m.x + m.width / 2 - ring.x - ring.width / 2,
                                                         m.y + m.height / 2 - ring.y - ring.height / 2)));
  const press = key => chart.dispatchEvent(new view.KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  press("Escape");
  found.walked = ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"].map(key => (press(key), readout.textContent));

  const keys = [...page.querySelectorAll("#rates-figure button[data-loss]")];
  found.keys = keys.map(e => e.textContent.trim());
  keys[0].click();
  const shown = e => view.getComputedStyle(e).display !== "none";
  found.hidden = [...page.querySelectorAll(".chart g[id*='-loss0-']")].filter(shown).length;
  found.others = [...page.querySelectorAll(".chart g[id$='-loss1-line']")].filter(shown).length;
  found.rows = column(0);
  found.pressed = keys[0].getAttribute("aria-pressed");
  found.same = page.querySelector("#learning-figure button[data-loss='0']").getAttribute("aria-pressed");
  keys[0].click();
  found.back = [...page.querySelectorAll(".chart g[id*='-loss0-line']")].filter(shown).length;
  const reached = e => { e.focus(); return page.activeElement === e; };
  const wanted = [...page.querySelectorAll("a, button, summary, .chart, .scroll")];
  found.unreached = wanted.filter(
    e => e.tabIndex < 0 || (!e.closest("details:not([open])") && !reached(e))).map(e => e.outerHTML.slice(0, 80));
  return found;
}"""


@pytest.fixture(scope="module")
def used(report, tmp_path_factory):
    return browse(report, tmp_path_factory.mktemp("use"), 1000, USE)


def test_a_click_on_a_heading_sorts(used):
    assert used["first"] == sorted(used["first"], reverse=True)
    assert used["ascending"] == sorted(used["first"])
    assert used["descending"] == sorted(used["first"], reverse=True)
    assert used["sorted"] == "descending"


def test_a_table_copies_out_as_csv(used):
    rows = list(csv.DictReader(io.StringIO(used["csv"])))
    assert {row["loss"] for row in rows} == set(LEVELS)
    assert [float(row["Dice of non-empty images"]) for row in rows] == used["descending"]
    for row in rows:
        assert (
            float(row["Dice of non-empty images, low"])
            < float(row["Dice of non-empty images"])
            < float(row["Dice of non-empty images, high"])
        )


def test_what_is_copied_starts_no_formula(used):
    """A spreadsheet computes what starts with =, +, - or @; a number that does is one."""
    rows = list(csv.reader(io.StringIO(used["formulas"])))
    assert rows[1][:2] == ['\'=HYPERLINK("http://example.org")', "'-1 * dice"]
    assert all(float(row[2]) >= 0 for row in rows[1:])
    assert any(row[3].startswith("-") and float(row[3]) < 0 for row in rows[1:])


def test_pointing_at_a_curve_tells_its_value(used):
    assert "arrow keys" in used["invitation"]
    assert used["pointed"] == used["expected"]
    at = r"focal\(gamma=2\) at learning rate 0\.003: Dice of non-empty images"
    said = at + r" 0\.\d+ on validation data, chosen in 5 of 5 blocks"
    assert re.fullmatch(said, used["pointed"])
    assert used["distance"] < 2  # the ring is where the mark is drawn


def test_the_arrow_keys_walk_along_the_curves(used):
    first, right, down, left = used["walked"]
    assert first.startswith("dice at learning rate 0.001:")
    assert right.startswith("dice at learning rate 0.003:")
    assert down.startswith("bce at learning rate 0.003:")
    assert left.startswith("bce at learning rate 0.001:")


def test_a_key_hides_a_loss_everywhere(used):
    assert used["keys"] == [*LEVELS, EVIL]
    assert (used["pressed"], used["same"]) == ("false", "false")
    assert used["hidden"] == 0
    assert used["others"] == 4
    assert set(used["rows"]) == set(LEVELS) - {"dice"}
    assert used["back"] == 4


def test_everything_is_reached_by_keyboard(used):
    assert used["unreached"] == []
