"""Splits by groups: each group is on one side, for any groups and any seed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from losskit.experiment.tasks import Request, make_task
from losskit.experiment.tasks.splits import split_groups
from losskit.experiment.tasks.task import PARTS, InputError

PATIENTS = st.lists(st.integers(0, 12), min_size=3, max_size=60).filter(lambda groups: len(set(groups)) >= 3)
SEEDS = st.integers(0, 1003)


def check(groups, parts):
    """Nothing lost, nothing twice, nothing empty, no group on two sides."""
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(groups)))
    assert all(len(indices) for indices in parts.values())
    sides = [{groups[index] for index in indices} for indices in parts.values()]
    assert sum(map(len, sides)) == len(set(groups))


@settings(max_examples=100)
@given(PATIENTS, SEEDS)
@example([0, 1, 2], 0)
@example([0] * 50 + [1, 2], 0)
def test_a_split_by_groups_never_leaks(groups, seed):
    parts = split_groups(groups, seed)
    assert tuple(sorted(parts)) == tuple(sorted(PARTS))
    check(groups, parts)
    assert all(np.array_equal(parts[part], again) for part, again in split_groups(groups, seed).items())


@settings(max_examples=50)
@given(PATIENTS, SEEDS)
def test_a_split_beside_a_test_of_its_own_never_leaks(groups, seed):
    parts = split_groups(groups, seed, test=False)
    assert set(parts) == {"train", "validation"}
    check(groups, parts)


def test_without_groups_the_shares_are_60_20_20_and_seeds_differ():
    first, second = (split_groups(range(50), seed) for seed in (0, 1))
    assert [len(first[part]) for part in PARTS] == [30, 10, 10]
    assert not np.array_equal(np.sort(first["test"]), np.sort(second["test"]))


def test_too_few_groups_is_an_error():
    with pytest.raises(InputError, match="need at least 3 independent groups; there are 2"):
        split_groups(["a", "b", "b", "a"], 0)


@pytest.fixture
def patients(tmp_path):
    """Three slices of each of eight patients; the grey value of an image is its patient's number."""
    for part in ("images", "masks", "test/images", "test/masks"):
        (tmp_path / part).mkdir(parents=True)
    for patient in range(8):
        for slice_ in range(3):
            mask = np.zeros((8, 9), dtype=np.uint8)
            mask[2:4, 2:5] = 1
            save(tmp_path, f"p{patient}_s{slice_}", np.full((8, 9), patient, dtype=np.uint8), mask)
    for patient in (8, 9):
        save(tmp_path / "test", f"p{patient}_s0", np.full((8, 9), patient, dtype=np.uint8), mask)
    return tmp_path


def save(folder: Path, name: str, image, mask) -> None:
    Image.fromarray(image).save(folder / "images" / f"{name}.png")
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def of_images(folder: Path, **options):
    return make_task(Request(images=folder / "images", masks=folder / "masks", **options))


def patients_of(split) -> set[float]:
    """After standardisation by the training part, patients still differ in their grey value."""
    return {round(float(image.mean()), 4) for image in split.inputs}


@pytest.mark.parametrize("seed", range(5))
def test_the_slices_of_a_patient_stay_together(patients, seed):
    task = of_images(patients, groups=r"p(\d+)")
    assert task.groups == 8
    assert "8 groups, each in one part" in task.about
    data = task.data(seed)
    sides = [patients_of(split) for split in (data.train, data.validation, data.test)]
    assert [len(side) for side in sides] == [4, 2, 2]
    assert len(set.union(*sides)) == 8
    assert [len(split) for split in (data.train, data.validation, data.test)] == [12, 6, 6]


def test_without_groups_slices_are_drawn_one_by_one(patients):
    task = of_images(patients)
    assert task.groups == 24
    data = task.data(0)
    assert patients_of(data.train) & patients_of(data.test)


def test_the_test_of_its_own_is_the_same_for_every_seed_and_is_never_trained_on(patients):
    task = of_images(patients, groups=r"p(\d+)", test=patients / "test")
    assert task.groups == 2
    assert task.arguments[-4:] == ("--groups", r"p(\d+)", "--test", str(patients / "test"))
    for data in (task.data(0), task.data(1)):
        assert len(data.test) == len(patients_of(data.test)) == 2
        assert not patients_of(data.test) & (patients_of(data.train) | patients_of(data.validation))
        assert len(data.train) + len(data.validation) == 24


def test_a_group_in_training_and_in_the_test_is_an_error(patients):
    save(patients / "test", "p3_s9", *[np.zeros((8, 9), dtype=np.uint8)] * 2)
    with pytest.raises(InputError, match=r"1 of the groups in --test are also in the training data \(3\)"):
        of_images(patients, groups=r"p(\d+)", test=patients / "test")


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (r"q(\d+)", r"matches nothing in 24 of 24 names: p0_s0, p0_s1"),
        (r"p(\d+", "is not a regular expression"),
    ],
)
def test_an_expression_that_groups_nothing_is_an_error(patients, groups, said):
    with pytest.raises(InputError, match=said):
        of_images(patients, groups=groups)


@pytest.fixture
def table(tmp_path):
    """Ten videos of six frames each; the first column names the video."""
    rows = [
        f"{video},{video + frame / 10},{'yes' if frame % 2 else 'no'},v{video}"
        for video in range(10)
        for frame in range(6)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["level,measured,answer,video", *rows]))
    return tmp_path / "t.csv"


def test_the_rows_of_a_group_stay_together_and_the_group_is_no_feature(table):
    task = make_task(Request(csv=table, target="answer", groups="video"))
    assert task.groups == 10
    data = task.data(3)
    assert data.channels == 2
    levels = [{round(float(row[0]), 4) for row in split.inputs} for split in (data.train, data.validation, data.test)]
    assert [len(level) for level in levels] == [6, 2, 2]
    assert len(set.union(*levels)) == 10


def test_a_table_whose_test_holds_a_known_group_is_an_error(table):
    test = table.with_name("test.csv")
    test.write_text("level,measured,answer,video\n4,4.2,yes,v4\n11,11,no,v11\n")
    with pytest.raises(InputError, match=r"1 of the groups in --test .* \(v4\)"):
        make_task(Request(csv=table, target="answer", groups="video", test=test))
