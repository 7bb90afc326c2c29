"""A small tour: real trainings reproduce the known results of its tasks."""

import pytest

import losskit
from losskit.experiment import tour as touring
from losskit.experiment.tour import SECONDS, tour


@pytest.mark.parametrize(
    ("task", "losses", "blocks"),
    [
        ("digits-longtail", ["ce", "logit-adjusted ce"], 4),
        ("diabetes-outliers", ["mse", "l1"], 3),
        # In the fourth block 300 wrong labels choose too high a rate for sce: the answer needs two more blocks.
        pytest.param("digits-noisy", ["ce", "sce"], 6, marks=pytest.mark.slow),
    ],
)
def test_the_known_answer_is_found(task, losses, blocks, tmp_path):
    found = losskit.compare(losses, task=task, blocks=blocks, out=tmp_path)
    assert found.findings.verdicts[0].chosen == losses[1], found.verdict
    assert found.verdict.startswith(f"{losses[1]} is better than {losses[0]}: ")
    assert found.failures == []


def test_a_tour_visits_every_task_within_its_share_of_the_budget(tmp_path, monkeypatch):
    asked, written = [], []

    def compare(**options):
        asked.append(options)
        return options["task"]

    monkeypatch.setattr(touring, "compare", compare)
    monkeypatch.setattr("losskit.experiment.report.write_tour", lambda found, folder: written.append(list(found)))
    assert tour(out=tmp_path, jobs=2) == list(SECONDS)
    assert [60 * each["budget"] for each in asked] == pytest.approx([190, 45, 40, 30])
    assert {each["out"] for each in asked} == {tmp_path / name for name in SECONDS}
    assert [len(each) for each in written] == [1, 2, 3, 4]  # a report exists after the first task
    asked.clear()
    tour(out=tmp_path, budget=8)
    assert sum(each["budget"] for each in asked) == pytest.approx(8)
    asked.clear()
    tour(out=tmp_path, blocks=2)
    assert [(each["blocks"], each["budget"]) for each in asked] == [(2, None)] * 4
