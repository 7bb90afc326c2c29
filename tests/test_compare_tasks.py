"""The data of losskit compare: properties of its tasks, and checks of the user's own data before any training."""

import zlib
from itertools import combinations, pairwise
from pathlib import Path

import nibabel
import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_diabetes, load_digits

from losskit.building.build import build
from losskit.experiment import InputError
from losskit.experiment.tasks import NAMES, Request, make_task, scenes
from losskit.experiment.tasks.coins import Coins
from losskit.experiment.tasks.folder import folder_task, map_values
from losskit.experiment.tasks.task import CLEAN, PARTS, VOID, Data
from losskit.experiment.user_input import read_losses


@pytest.fixture(scope="module")
def scene_data():
    return make_task("scenes").data(0)


def test_pictures_are_inside_the_package():
    for name in (*scenes.TEXTURES, "coins"):
        assert (Path(skimage.__file__).parent / "data" / f"{name}.png").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_data_depend_on_the_seed_alone(name):
    task = make_task(name)
    assert task.data(1).digest() == task.data(1).digest() != task.data(2).digest()


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_of_a_task_takes_its_targets(name):
    task = make_task(name)
    data = task.data(0)
    targets = torch.stack(data.train.targets[:4])
    assert task.baseline in task.losses
    for text in task.losses:
        space = targets.shape[1 + (data.classes == 1) :] if data.is_segmentation else ()
        logits = torch.zeros(4, data.classes, *space, requires_grad=True)
        build(task.spelled.get(text, text))(logits, targets).backward()
        assert logits.grad.abs().sum() > 0


def test_losses_of_class_counts_are_offered_by_name():
    names = ["ldam", "balanced_softmax", "logit_adjusted", "BalancedSoftmaxLoss"]
    for task in (make_task("digits-noisy"), make_task("digits-longtail")):
        counts = torch.bincount(torch.stack(task.data(0).train.targets), minlength=10)
        assert sum(task.class_counts) == counts.sum()
        _, objects = read_losses(names, task.spelled, task.class_counts)
        for name in names:
            logits = torch.zeros(4, 10, requires_grad=True)
            build(objects[name])(logits, torch.tensor([0, 3, 7, 9])).backward()
            assert logits.grad.abs().sum() > 0
    longtail = make_task("digits-longtail")
    assert list(longtail.class_counts) == torch.bincount(torch.stack(longtail.data(0).train.targets)).tolist()
    with pytest.raises(InputError, match="prior has no default"):  # a number, which no task tells
        read_losses(["pu"], longtail.spelled, longtail.class_counts)
    with pytest.raises(InputError, match="class_counts has no default"):  # a task of no classes
        read_losses(["ldam"], {}, make_task("scenes").class_counts)


def test_data_survive_a_file(scene_data, tmp_path):
    for data in (scene_data, make_task("diabetes-outliers").data(0)):
        data.save(tmp_path / "data.pt")
        again = Data.load(tmp_path / "data.pt")
        assert again.digest() == data.digest()
        assert (again.kind, again.scale, again.dimensions) == (data.kind, data.scale, data.dimensions)


@pytest.mark.parametrize(
    ("volumes", "foreground", "empty"),
    [
        (False, 0.02, 0.5),
        (False, 0.06, 1 / 3),
        (False, 0.3, 0),
        (True, 0.005, 0.5),
        (True, 0.06, 1 / 3),
        (True, 0.3, 0),
    ],
)
def test_scenes_hold_what_was_asked_for(foreground, empty, volumes):
    data = scenes.scenes(volumes=volumes, foreground=foreground, empty=empty).data(0)
    covered = torch.cat([torch.stack(getattr(data, part).targets).flatten(1).mean(1) for part in PARTS])
    assert covered[covered > 0].mean() == pytest.approx(foreground, rel=0.2)
    assert (covered == 0).float().mean() == pytest.approx(empty, abs=0.01)
    assert data.dimensions == 2 + volumes


@pytest.mark.parametrize("classes", [2, 5, 11])
def test_scenes_hold_so_many_classes_in_every_part(classes):
    data = make_task(Request("scenes", classes=classes)).data(0)
    for part in PARTS:
        labels = torch.stack(getattr(data, part).targets)
        assert labels.unique().tolist() == list(range(classes))
        assert labels.shape[1:] == (32, 32)
    assert data.classes == classes


@pytest.mark.parametrize("classes", [1, 4])
def test_scenes_share_no_digit_and_no_texture_between_parts(monkeypatch, classes):
    given = []

    def record(self, rng, count, regions, digits, labels):
        columns = {column.tobytes() for region in regions for column in region.T}
        given.append((columns, {digit.tobytes() for digit in digits}))
        return iter([(np.zeros((4, 4)), np.zeros((4, 4), dtype=np.int64))])

    monkeypatch.setattr(scenes.Scenes, "draw", record)
    make_task(Request("scenes", classes=classes)).data(0)
    assert len(given) == 3
    for one, other in combinations(given, 2):
        assert not one[0] & other[0]
        assert not one[1] & other[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"foreground": 0.9}, "--foreground is the share of foreground pixels, from 0.01 to 0.4; got 0.9"),
        ({"empty": 1.0}, "--empty is the share of images without foreground, from 0 to 0.9; got 1"),
        ({"classes": 12}, r"--classes is from 1 to 11 \(background and ten digits\); got 12"),
        ({"name": "digits-noisy", "classes": 3}, "--classes is an option of the tasks scenes and scenes-3d"),
        ({"name": "coins"}, "There is no task 'coins'; choose scenes, scenes-3d, digits-noisy, digits-longtail or"),
        ({"groups": "video"}, "--groups is for your own data"),
        ({"test": Path()}, "--test is for your own data"),
        ({"csv": Path("t.csv")}, "--csv needs --target as well"),
        ({"masks": Path()}, "--masks needs --images as well"),
        ({"csv": Path("t.csv"), "target": "y", "name": "scenes"}, "--task scenes and --csv both say what to train on"),
        ({"csv": Path("t.csv"), "target": "y", "images": Path()}, "--csv and --images both say what to train on"),
    ],
)
def test_options_that_do_not_fit_are_told(options, said):
    with pytest.raises(InputError, match=said):
        make_task(Request(**options))


def test_noisy_digits_are_wrong_in_training_and_right_in_the_test():
    data, digits = make_task("digits-noisy").data(0), load_digits()
    truth = {
        (image / 8 - 1).astype(np.float32).tobytes(): label
        for image, label in zip(digits.images, digits.target, strict=True)
    }
    for split, share in ((data.train, 0.4), (data.validation, 0.4), (data.test, 0)):
        right = [
            truth[image.numpy().tobytes()] == label for image, label in zip(split.inputs, split.targets, strict=True)
        ]
        assert 1 - np.mean(right) == pytest.approx(share, abs=0.06 if share else 0)
    assert len(data.train) + len(data.validation) + len(data.test) == len(truth) == 1797


def test_the_long_tail_is_50_to_1_in_training_and_validation():
    data = make_task("digits-longtail").data(0)
    counts = [torch.bincount(torch.stack(getattr(data, part).targets), minlength=10) for part in PARTS]
    for of_part in counts[:2]:
        assert of_part[0] == 50 * of_part[9]
        assert all(more >= fewer for more, fewer in pairwise(of_part))
    assert counts[2].min() >= 20
    pictures = {image.numpy().tobytes() for part in PARTS for image in getattr(data, part).inputs}
    assert len(pictures) == sum(int(of_part.sum()) for of_part in counts) == 1797


def test_slips_of_the_pen_are_in_training_and_validation_alone():
    true = set(load_diabetes(return_X_y=True)[1].tolist())
    task = make_task("diabetes-outliers")
    slipped, counted = dict.fromkeys(PARTS, 0), dict.fromkeys(PARTS, 0)
    for seed in range(4):
        data = task.data(seed)
        for part in PARTS:
            values = torch.cat(getattr(data, part).targets) * data.scale + 152
            wrong = [value for value in values.tolist() if round(value) not in true or value > 346.5]
            assert all(round(value) / 10 in true for value in wrong)
            slipped[part] += len(wrong)
            counted[part] += len(values)
    assert slipped["train"] / counted["train"] == pytest.approx(0.1, abs=0.03)
    assert slipped["validation"] / counted["validation"] == pytest.approx(0.1, abs=0.05)
    assert slipped["test"] == 0
    assert "10% of the values are 10 times" in task.about


def test_coins_are_split_between_rows_and_rank_nothing():
    data = Coins().data(0)
    assert "coins" not in NAMES
    assert make_task("scenes").picture == Coins()
    assert len(data.test) == 1
    _, found = ndimage.label(data.test.targets[0][0])
    assert found == 6  # whole coins: the cut runs between the rows
    row = data.test.inputs[0][0]
    for image in (*data.train.inputs, *data.validation.inputs):  # no patch lies in the row of the test
        corner = image[0, :12, :12]
        assert not (row.unfold(0, 12, 1).unfold(1, 12, 1) == corner).flatten(2).all(2).any()


@pytest.fixture
def pairs(tmp_path):
    """Ten pairs of grey images and 0/255 masks."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for index in range(10):
        mask = np.zeros((20, 30), dtype=np.uint8)
        mask[5:10, 5 : 10 + index] = 255
        Image.fromarray(255 - mask).save(tmp_path / "images" / f"s{index}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"s{index}.png")
    return tmp_path


def test_masks_of_0_and_255_become_classes_and_it_is_said(pairs):
    task = folder_task(pairs / "images", pairs / "masks")
    assert task.notes[0] == "The masks contain 0 and 255: 0 is read as background and 255 as foreground."
    assert task.notes[-1] == "Each run trains 200 epochs, chosen by the number of items (--epochs changes it)."
    assert task.apart is None  # no mask is empty
    Image.new("L", (30, 20)).save(pairs / "masks" / "s0.png")
    assert folder_task(pairs / "images", pairs / "masks").apart is CLEAN
    data = task.data(0)
    assert [len(data.train), len(data.validation), len(data.test)] == [6, 2, 2]
    assert data.classes == 1
    assert data.test.targets[0].shape == (1, 20, 30)
    assert set(torch.stack(data.train.targets).unique().tolist()) == {0, 1}
    assert torch.stack(data.train.inputs).mean() == pytest.approx(0, abs=1e-4)


def remove(pairs):
    (pairs / "masks" / "s3.png").unlink()


def resize(pairs):
    Image.new("L", (31, 20)).save(pairs / "masks" / "s3.png")


def garble(pairs):
    (pairs / "images" / "s3.png").write_bytes(b"no picture")


def paint(pairs):
    Image.new("RGB", (30, 20), (255, 0, 0)).save(pairs / "masks" / "s3.png")


def blur(pairs):
    Image.linear_gradient("L").save(pairs / "masks" / "s3.png")
    Image.new("L", (256, 256)).save(pairs / "images" / "s3.png")


def repeat(pairs):
    Image.new("L", (30, 20)).save(pairs / "images" / "s3.jpg")


def clear(pairs):
    for mask in (pairs / "masks").iterdir():
        Image.new("L", (30, 20)).save(mask)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove, r"1 of 10 images have no mask of the same name in .*masks: s3\.png\. Add the masks"),
        (resize, r"s3\.png is 30 x 20 pixels, its mask s3\.png is 31 x 20"),
        (garble, r"1 of 10 pairs cannot be used: s3\.png cannot be read"),
        (paint, r"s3\.png is a colour image; a mask has one number per pixel"),
        (blur, r"The masks contain \d+ different values .* saved as JPEG\?"),
        (repeat, r"has s3\.jpg and s3\.png; keep one file of each name"),
        (clear, r"All masks contain only 0"),
    ],
)
def test_bad_images_are_named_before_any_training(pairs, spoil, said):
    spoil(pairs)
    with pytest.raises(InputError, match=said):
        folder_task(pairs / "images", pairs / "masks")


@pytest.mark.parametrize(
    ("values", "mapped", "classes", "said"),
    [
        ([0, 1], [0, 1], 1, ""),
        ([0, 1, 2], [0, 1, 2], 3, ""),
        ([0, 85, 170], [0, 1, 2], 3, "0 is class 0, 85 is class 1, 170 is class 2"),
        ([0, 1, 2, 255], [0, 1, 2, VOID], 3, "255 in the masks is read as unknown"),
    ],
)
def test_values_of_masks(values, mapped, classes, said):
    masks, channels, notes = map_values([np.array([values]), np.array([values[::-1]])])
    assert masks[0].tolist() == [mapped]
    assert masks[1].tolist() == [mapped[::-1]]
    assert channels == classes
    assert said in " ".join(notes)
    assert bool(said) == bool(notes)


def write_volumes(folder: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for index in range(6):
        mask = np.zeros((4, 6, 70 if index == 0 else 8), dtype=np.uint8)  # (D, H, W)
        mask[1:3, 2:4, 1:5] = 1
        mask[3, 5, 0] = 2
        for part, values in (("images", mask + rng.normal(0, 0.1, mask.shape)), ("masks", mask)):
            path = folder / part / f"v{index}{suffix}"
            if suffix == ".npy":
                np.save(path, values)
            else:  # x comes first
                nibabel.save(nibabel.Nifti1Image(values.T.astype(np.float32), np.eye(4)), path)


@pytest.mark.parametrize("suffix", [".npy", ".nii", ".nii.gz"])
def test_volumes_are_read_with_depth_first(tmp_path, suffix):
    write_volumes(tmp_path, suffix)
    task = folder_task(tmp_path / "images", tmp_path / "masks")
    assert "Volumes larger than 48 voxels were scaled down" in " ".join(task.notes)
    data = task.data(0)
    assert (data.dimensions, data.channels, data.classes) == (3, 1, 3)
    volume, truth = next(
        pair for pair in zip(data.train.inputs, data.train.targets, strict=True) if pair[1].numel() == 192
    )
    assert volume.shape == (1, 4, 6, 8)
    assert truth[3, 5, 0] == 2
    assert (truth[1:3, 2:4, 1:5] == 1).all()
    assert (volume[0][truth == 1].mean() - volume[0][truth == 0].mean()) > 1


def test_nifti_without_nibabel_says_what_to_install(tmp_path, monkeypatch):
    write_volumes(tmp_path, ".nii")
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(InputError, match=r"v0\.nii is NIfTI, which needs nibabel: pip install nibabel"):
        folder_task(tmp_path / "images", tmp_path / "masks")


TABLE = """age;town;note;level;grade
20;Bern;a;1.5;good
30;Ulm;b;;bad
?;Bern;c;2.5;good
50;;d;3.5;bad
"""


@pytest.fixture
def table(tmp_path):
    rows = TABLE.splitlines()
    many = [rows[1 + index % 4].replace(";a;", f";a{index};").replace(";b;", f";b{index};") for index in range(60)]
    notes = [row if index % 2 else row.replace(";c;", f";c{index};") for index, row in enumerate(many)]
    (tmp_path / "t.csv").write_text("\n".join([rows[0], *notes, "99;Ulm;x;9.5;"]))
    return tmp_path / "t.csv"


def test_a_table_is_read_filled_and_encoded_and_it_is_said(table):
    task = make_task(Request(csv=table, target="grade"))
    assert task.notes[0] == "1 rows without grade were not used."
    assert "grade: bad is class 0, good is class 1." in task.notes
    assert "Missing numbers were filled with the median of the training part" in task.notes[-1]
    data = task.data(0)
    assert (data.kind, data.classes, data.is_binary) == ("classification", 1, True)
    rows = torch.stack(data.train.inputs)
    assert rows.isfinite().all()
    assert rows[:, :2].mean(0).tolist() == pytest.approx([0, 0], abs=1e-5)  # age, level
    assert set(rows[:, 2:5].unique().tolist()) == {0, 1}  # Bern, Ulm, nothing
    assert [len(split) for split in (data.train, data.validation, data.test)] == [36, 12, 12]


def test_few_whole_numbers_are_classes(table):
    task = make_task(Request(csv=table, target="age"))
    assert (task.data(0).kind, task.data(0).classes) == ("classification", 4)
    assert "age: 20 is class 0, 30 is class 1, 50 is class 2, 99 is class 3." in task.notes


def test_a_measured_target_is_learnt_in_units_of_its_spread(table):
    table.write_text("x,y\n" + "\n".join(f"{i},{3 * i + 0.5}" for i in range(40)))
    data = make_task(Request(csv=table, target="y")).data(0)
    assert data.kind == "regression"
    learnt = torch.cat(data.train.targets) * data.scale
    features = torch.cat(data.train.inputs)
    assert learnt.std(correction=0) == pytest.approx(data.scale, rel=1e-5)
    assert torch.allclose(learnt, features * data.scale, atol=1e-3)  # y is linear in x


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, r"cannot be read .* Give a CSV file in UTF-8"),
        ("x,y\n", "has no rows"),
        ("x,z\n1,2\n", "--target y: .* has no such column; it has x, z"),
        ("x,y\n1,2\n1\n", "line 3: expected 2 values"),
        ("x,x\n1,2\n", "two columns of one name"),
        ("x,y\n" + "1,2\n" * 5, "has 5 rows with y; training needs at least 20"),
        ("x,y\n" + "1,2\n" * 30, "y is 2 in every row"),
        ("x,y\n" + "1,2\n1,3\n" * 30, "no column to predict from: x \\(one value\\)"),
        ("x,y\n" + "\n".join(f"{i},w{i}" for i in range(99)), "y has 99 different texts"),
    ],
)
def test_a_bad_table_is_told_before_any_training(tmp_path, text, said):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        make_task(Request(csv=tmp_path / "t.csv", target="y"))


def test_images_are_scaled_down_to_what_is_asked_for(pairs):
    task = folder_task(pairs / "images", pairs / "masks", size=12)
    assert task.data(0).test.targets[0].shape == (1, 8, 12)
    assert "Images larger than 12 pixels were scaled down to that (--size changes it)" in task.notes[1]
    assert task.arguments[-2:] == ("--size", "12")


def bomb(pairs):
    """An image file of a few bytes whose header says 60000 x 60000."""
    content = bytearray((pairs / "images" / "s3.png").read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    (pairs / "images" / "s3.png").write_bytes(content)


def absurd(pairs):
    """An array file of a few bytes whose header says that it is huge."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    (pairs / "images" / "s3.png").unlink()
    (pairs / "images" / "s3.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def cut_short(pairs):
    np.save(pairs / "images" / "s3.npy", np.zeros((20, 30)))
    (pairs / "images" / "s3.png").unlink()
    content = (pairs / "images" / "s3.npy").read_bytes()
    (pairs / "images" / "s3.npy").write_bytes(content[:-100])


@pytest.mark.parametrize("spoil", [bomb, absurd, cut_short])
def test_files_that_would_fill_the_memory_are_named(pairs, spoil):
    spoil(pairs)
    with pytest.raises(InputError, match=r"1 of 10 pairs cannot be used: s3\.(png|npy) cannot be read"):
        folder_task(pairs / "images", pairs / "masks")
