"""The report in a real browser: it fits a phone and a wide screen, light and dark, and every picture appears."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from losskit.experiment import compare

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

# A frame of any width shows the page; then what it looks like there is written down as text.
PAGE = """<body><iframe width="{width}" height="900" srcdoc="{report}"></iframe><script>
onload = () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument, root = page.documentElement;
  const wide = [...page.querySelectorAll("main *")].filter(
    e => !e.closest(".scroll, svg") && e.getBoundingClientRect().right > root.clientWidth + 1);
  document.body.textContent = JSON.stringify({{
    width: root.clientWidth,
    content: root.scrollWidth,
    wide: wide.map(e => e.tagName + " " + e.className),
    images: [...page.images].map(e => [e.naturalWidth, e.getBoundingClientRect().width, e.alt]),
    curves: page.querySelector("figure svg").getBoundingClientRect().width,
    ink: getComputedStyle(page.body).color,
    paper: getComputedStyle(page.body).backgroundColor,
    axis: getComputedStyle(page.querySelector("figure svg text")).fill,
  }});
}};
</script></body>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("report")
    losses = ["dice + 0.5 * tversky(alpha=0.3, beta=0.7, smooth=1.0) + 0.25 * focal(gamma=1.5)", "bce"]
    compare(losses, seeds=2, epochs=1, out=out)
    return (out / "report.html").read_text()


def browse(address: str, folder: Path, *flags: str) -> str:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not installed: apt-get install chromium"
    shown = subprocess.run(
        [chromium, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return shown.stdout


def look(report: str, folder: Path, width: int, *flags: str) -> dict:
    page = folder / "page.html"
    page.write_text(PAGE.format(width=width, report=html.escape(report)))
    seen = re.search(r"<body>(\{.*\})", browse(page.as_uri(), folder, *flags), re.DOTALL)
    assert seen is not None, "the page did not load"
    return json.loads(html.unescape(seen[1]))


@pytest.mark.parametrize("width", [360, 1400])
def test_fits_the_window(report, tmp_path, width):
    seen = look(report, tmp_path, width)
    assert width - 20 <= seen["width"] <= width
    assert seen["content"] <= seen["width"]
    assert seen["wide"] == []


@pytest.mark.parametrize("width", [360, 1400])
def test_pictures_appear_and_say_what_they_show(report, tmp_path, width):
    seen = look(report, tmp_path, width)
    assert len(seen["images"]) == 12
    for natural, shown, words in seen["images"]:
        assert natural > 0
        assert shown >= 90
        assert len(words) > 20
    assert 300 <= seen["curves"] <= 600


@pytest.mark.parametrize(("flags", "paper_is_light"), [((), True), ((DARK,), False)])
def test_follows_light_and_dark(report, tmp_path, flags, paper_is_light):
    seen = look(report, tmp_path, 1400, *flags)
    ink, paper = (luminance(seen[name]) for name in ("ink", "paper"))
    assert (paper > ink) == paper_is_light
    assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7  # WCAG's enhanced contrast
    assert seen["axis"] == seen["ink"]


def luminance(colour: str) -> float:
    """WCAG's relative luminance of rgb(r, g, b)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
