"""The two reports of losskit compare, without a browser: their contents match the results."""

import html
import json
import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from findings import EVIL, LEVELS, LONG, comparison
from losskit.experiment import pictures
from losskit.experiment.report import Axis, write_report, write_tour
from losskit.experiment.results import Interval
from losskit.experiment.tasks import Request, make_task
from losskit.experiment.tasks.task import Data, Split
from losskit.experiment.words import difference, gain, number


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    made = comparison(tmp_path_factory.mktemp("report"))
    write_report(made)
    return made


@pytest.fixture(scope="module")
def page(found) -> str:
    return found.report.read_text(encoding="utf-8")


def text_of(part: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())


def table(page: str, name: str) -> list[list[str]]:
    body = re.search(rf'<table id="{name}-table">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert body is not None
    return [
        [text_of(cell) for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr.*?</tr>", body[1], re.DOTALL)
    ]


class Tags(HTMLParser):
    """That every element is closed where it was opened."""

    EMPTY = ("meta", "img", "br", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attributes) -> None:
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes) -> None:
        self.ids += [value for name, value in attributes if name == "id"]

    def handle_endtag(self, tag) -> None:
        if tag == "p" and self.open[-1] != "p":  # without an opening tag
            raise AssertionError(tag)
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_no_name_is_given_twice(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))
    places = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert places <= set(tags.ids)


def test_the_page_holds_everything_itself(page):
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]+)""", page)
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert "@import" not in page
    assert len(page) < 2_000_000


def test_the_conclusion_comes_first(page, found):
    assert text_of(re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]) == found.verdict
    assert page.index("<h1>") < page.index('<ul class="cautions"') < page.index("<table")
    assert found.summary.read_text().startswith(f"**losskit compare: scenes.** {found.verdict}\n")


def test_every_picture_says_what_it_shows(page):
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) == 7 * len(LEVELS)
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert page.count('<div class="chart" role="group" aria-label="') == 4
    drawings = re.findall(r"<svg[^>]*>", page)
    assert all('aria-hidden="true"' in drawing or 'class="dot' in drawing for drawing in drawings)
    assert all("aria-label=" in bar for bar in re.findall(r'<div class="(?:bar|track)"[^>]*>', page))


def test_the_tables_hold_the_findings(page, found):
    rows = {row[0]: row for row in table(page, "scores")}
    assert list(rows) == [standing.loss for standing in found.ranking]
    for standing in found.ranking:
        row = rows[standing.loss]
        assert row[1] == standing.letters
        assert row[2] == number(standing.scores["dice"])
        assert row[2].startswith(f"{standing.scores['dice'].mean:.3f} [")
        assert row[3] == (
            "–" if standing.over_baseline is None else gain(standing.over_baseline, found.findings.metric)
        )
        assert row[-2:] == ["0.003", "5"]
    assert [row[1:] for row in table(page, "cost")] == [["21.4", "0.31", "0.14", "310"]] * len(LEVELS)
    assert len(table(page, "pairs")) == 10
    assert sum(row[3] == "yes" for row in table(page, "pairs")) == sum(pair.separated for pair in found.findings.pairs)


def test_charts_hold_the_runs(page, found):
    scripts = re.findall(
        r'<figure id="(\w+)-figure">.*?<script type="application/json">(.*?)</script>', page, re.DOTALL
    )
    points = {name: json.loads(text) for name, text in scripts}
    assert {name: len(of) for name, of in points.items()} == {
        "rates": 3 * len(LEVELS) + 3,  # the loss that fails has its crosses
        "learning": 5 * len(LEVELS),
        "thresholds": 21 * len(LEVELS),
        "calibration": 15 * len(LEVELS),
    }
    tuning = next(each for each in found.findings.tunings if each.loss == LONG)
    said = [point["words"] for point in points["rates"] if point["loss"] == list(LEVELS).index(LONG)]
    assert said == [
        f"{LONG} at learning rate {tried.rate:g}: Dice of non-empty images {tried.mean:.3g} on validation data"
        + (", chosen in 5 of 5 blocks" if tried.rate == tuning.chosen else "")
        for tried in tuning.tried
    ]
    heights = [point["y"] for point in points["thresholds"] if point["loss"] == 0]
    assert min(heights) == heights[10]  # the best threshold is the highest on the page
    last = [point["words"] for point in points["learning"] if point["loss"] == 1][-1]
    mean = sum(run["curve"]["score"][-1] for run in found.runs if run["loss"] == "bce") / 5
    assert last == f"bce after epoch 15: Dice of non-empty images {mean:.3g}"


def test_a_name_is_text_whatever_it_holds(page, found):
    assert "<script>alert" not in page
    assert html.escape(EVIL, quote=True).replace("&quot;", "&#34;") in page
    lines = [line for line in found.summary.read_text().splitlines() if "alert(1)" in line]
    rows = [line for line in lines if line.startswith("| `")]  # code without tags
    assert all(r"\<script>" in line for line in lines if line not in rows)
    assert len(rows) == 3
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_failures_are_listed_with_their_reason(page, found):
    first = table(page, "failures")[0]
    assert first[1:] == ["crashed", "block 0, tuning, rate 0.001", "KeyError: 'no such | thing'"]
    assert "Traceback (most recent call last)" in page


def test_the_summary_is_a_table_that_a_pull_request_shows(found):
    lines = found.summary.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| loss | group |"))
    head, rule, *rows = lines[start : start + 2 + len(LEVELS)]
    assert {line.count("|") for line in (head, rule, *rows)} == {head.count("|")}
    assert set(rule) == {"|", "-"}
    assert [row.split(" | ")[0] for row in rows] == [f"| `{standing.loss}`" for standing in found.ranking]
    assert lines[start - 1] == ""
    assert found.command in lines


def test_writing_it_again_changes_nothing_and_leaves_nothing(found, page):
    write_report(found)
    assert found.report.read_text(encoding="utf-8") == page
    assert not list(found.out.glob("*.tmp"))


@pytest.mark.parametrize("stage", ["tuning", "measuring"])
def test_a_report_that_is_not_finished_says_so(tmp_path, stage):
    made = comparison(tmp_path, levels={"bce": 0.6, "dice": 0.7}, stage=stage, blocks=1)
    write_report(made)
    page = made.report.read_text(encoding="utf-8")
    assert "Reload it to see more" in page
    assert ("No results yet" in page) == (stage == "tuning")
    assert ('id="ranking"' in page) == (stage == "measuring")
    assert 'id="rates-figure"' in page
    assert "do not differ significantly" not in text_of(page.replace(made.verdict, ""))  # with one block
    assert "Runs are in progress." in made.summary.read_text()


def test_nothing_but_failures_is_a_report_as_well(tmp_path):
    made = comparison(tmp_path, levels={}, task=make_task("digits-noisy"))
    made = replace(made, findings=replace(made.findings, verdict="Every loss failed, so there is nothing to rank."))
    write_report(made)
    page = made.report.read_text(encoding="utf-8")
    assert "<h1>Every loss failed, so there is nothing to rank.</h1>" in page
    assert len(table(page, "failures")) == 3


@pytest.mark.parametrize(
    ("request_", "losses", "pictures"),
    [
        (Request("digits-longtail"), {"ce": 0.71, "gce(q=0.7)": 0.8}, 12),
        (Request("diabetes-outliers"), {"mse": 61.2, "l1": 44.1}, 0),
        (Request("scenes", classes=3), {"ce": 0.4, "dice + ce": 0.5}, 6),
        (Request("scenes-3d"), {"bce": 0.4, "dice": 0.5}, 6),
    ],
    ids=["labels", "numbers", "classes", "volumes"],
)
def test_every_kind_of_task_has_its_report(tmp_path, request_, losses, pictures):
    task = make_task(request_)
    made = comparison(tmp_path, levels=losses, task=task, failing=None)
    write_report(made)
    page = made.report.read_text(encoding="utf-8")
    assert page.count("<img ") == pictures * len(losses)
    label = task.metrics[0].label
    assert f"<h2>{label[0].upper()}{label[1:]}" in page
    best = min(losses, key=losses.get) if request_.name == "diabetes-outliers" else max(losses, key=losses.get)
    assert table(page, "scores")[0][0] == best
    assert ("(lower is better)" in page) == (request_.name != "digits-longtail")


def test_a_new_answer_is_drawn_and_an_old_one_is_not_drawn_again(tmp_path, monkeypatch):
    made = comparison(tmp_path, levels={"bce": 0.6}, failing=None)
    drawn = []
    plain = pictures.contours
    monkeypatch.setattr(pictures, "contours", lambda *given: (drawn.append(1), plain(*given))[1])
    write_report(made)
    assert len(drawn) == 7
    write_report(made)
    assert len(drawn) == 7


def test_the_two_outlines_are_both_seen_where_they_agree():
    truth = torch.zeros(1, 24, 24)
    truth[:, 6:18, 6:18] = 1
    part = Split([torch.rand(1, 24, 24, generator=torch.Generator().manual_seed(0))], [truth])
    drawn = pictures.outlined(Data(part, part, part, classes=1), 0, truth[0].long(), "bce")
    with Image.open(BytesIO(b64decode(drawn.source.partition(",")[2]))) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    for colour in (pictures.TRUE, pictures.PREDICTED):
        wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
        assert (np.abs(pixels - wanted).sum(-1) < 60).sum() > 60
    assert drawn.words == (
        "Test image 0 with a true outline and a predicted one by the model trained with bce; Dice 1.00"
    )


@pytest.mark.parametrize(
    ("value", "shown", "signed"),
    [
        (Interval(0.7123, 0.69, 0.7344), "0.712 [0.690, 0.734]", "+0.712 [+0.690, +0.734]"),
        (Interval(-0.012, -0.02, 0.004), "-0.012 [-0.020, 0.004]", "−0.012 [−0.020, +0.004]"),
        (Interval(44.13, 41.0, 47.26), "44.1 [41.0, 47.3]", "+44.1 [+41.0, +47.3]"),
        (Interval(0.5, None, None), "0.500", "+0.500"),
    ],
)
def test_numbers_are_written_alike(value, shown, signed):
    assert number(value) == shown
    assert difference(value) == signed


def test_an_axis_holds_its_intervals():
    axis = Axis.around([Interval(0.61, 0.58, 0.64), Interval(0.7, None, None)])
    assert axis.low <= 0.58
    assert axis.high >= 0.7
    assert 0 <= axis.at(0.58) < axis.at(0.61) < axis.at(0.7) <= 100
    assert Axis.around([Interval(0.01, 0.005, 0.015)], 0).at(0) >= 0


def test_the_page_of_a_tour_says_each_decision_and_leads_to_each_page(tmp_path):
    names = ("scenes", "diabetes-outliers")
    found = [
        comparison(tmp_path / name, levels=levels, task=make_task(name), failing=None)
        for name, levels in zip(names, ({"bce": 0.6, "dice": 0.7}, {"mse": 61.2, "l1": 44.1}), strict=True)
    ]
    write_tour(found, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for each in found:
        write_report(each)
        assert f"<strong>{html.escape(each.verdict, quote=False)}</strong>" in page
        assert (tmp_path / re.search(rf'href="({each.task.name}/[^"]+)"', page)[1]).is_file()
        assert f"**{each.task.name}.** " in (tmp_path / "report.md").read_text()
    assert [row[0] for row in table(page, "diabetes-outliers")] == ["l1", "mse"]


def test_the_table_of_the_terminal_fits_80_columns_and_breaks_no_name(found):
    from rich.console import Console

    from losskit.experiment.command import table as terminal_table

    short = comparison(found.out / "short", levels={"bce": 0.6, "dice": 0.7, "focal(gamma=2)": 0.65}, failing=None)
    for made, widest in ((short, 80), (found, len(LONG) + 40)):
        console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
        console.print(terminal_table(made, 80))
        lines = console.export_text().splitlines()
        assert max(len(line.rstrip()) for line in lines) <= widest
        for standing in made.ranking:
            assert any(standing.loss in line for line in lines)
        heads = next(line for line in lines if "loss" in line).split()
        assert heads[:3] == ["loss", "group", "Dice"]
        assert made is found or heads[3:7] == ["over", "bce", "left", "clean"]


def test_key_pictures_come_before_the_tables(page):
    assert page.index('id="differences"') < page.index("<img ") < page.index('<table id="scores-table"')
    heads = re.findall(r'<th scope="col">([^<]*)</th>', page[page.index('<table id="scores-table"') :])
    assert heads[:7] == [
        "loss",
        "group",
        "Dice of non-empty images",
        "over bce",
        "empty images left clean",
        "expected calibration error (lower is better)",
        "chosen threshold",
    ]


def test_the_headline_and_the_panel_give_the_same_number(page, found):
    verdict = found.findings.verdicts[0]
    said = gain(verdict.gains[verdict.chosen], verdict.metric)
    assert said in found.verdict
    assert said in text_of(page[page.index('id="differences"') :])
