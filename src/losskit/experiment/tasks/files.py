"""Images and masks in folders: paired, read, and checked before any training."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.io import imread

from losskit.experiment.tasks.task import InputError

NIFTI = (".nii", ".nii.gz")
ARRAYS = (".npy", *NIFTI)  # may contain volumes
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", *ARRAYS)
# Exceptions that readers raise for broken files, or for files made to exhaust memory.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, OverflowError, Image.DecompressionBombError)
NAMED = 5  # maximum files named in a message

Array = NDArray[Any]


def find_pairs(
    images: Path, masks: Path, options: tuple[str, str] = ("--images", "--masks")
) -> tuple[list[tuple[Path, Path]], list[str]]:
    image_files, mask_files = by_stem(options[0], images), by_stem(options[1], masks)
    without = [image_files[stem].name for stem in image_files.keys() - mask_files.keys()]
    if without:
        raise InputError(
            f"{len(without)} of {len(image_files)} images have no mask of the same name in {masks}: {listed(without)}. "
            "Add the masks (all zeros for an image without foreground) or move these images away."
        )
    unused = [mask_files[stem].name for stem in mask_files.keys() - image_files.keys()]
    notes = [f"{len(unused)} masks without an image were not used: {listed(unused)}."] if unused else []
    return [(image_files[stem], mask_files[stem]) for stem in sorted(image_files)], notes


def by_stem(option: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"{option} {folder} is not a folder. Give the folder that contains the files.")
    files = sorted(path for path in folder.iterdir() if suffix_of(path) in SUFFIXES)
    if not files:
        raise InputError(f"{option} {folder} contains no file that ends in {', '.join(SUFFIXES)}.")
    for first, second in pairwise(sorted(files, key=stem_of)):
        if stem_of(first) == stem_of(second):
            raise InputError(f"{option} {folder} has {first.name} and {second.name}; keep one file of each name.")
    return {stem_of(path): path for path in files}


def suffix_of(path: Path) -> str:
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")


def stem_of(path: Path) -> str:
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_pairs(pairs: list[tuple[Path, Path]]) -> tuple[list[Array], list[Array]]:
    """Images as (H, W, channels) or (D, H, W, channels), masks without the channels."""
    pictures, labels, problems = [], [], []
    for image_path, mask_path in pairs:
        try:
            label = as_labels(read(mask_path, is_mask=True), mask_path)
            picture = as_picture(read(image_path, is_mask=False), image_path, label.ndim)
            if picture.shape[:-1] != label.shape:
                sizes = [" x ".join(map(str, reversed(shape))) for shape in (picture.shape[:-1], label.shape)]
                unit = "pixels" if label.ndim == 2 else "voxels"
                raise InputError(f"{image_path.name} is {sizes[0]} {unit}, its mask {mask_path.name} is {sizes[1]}")
        except InputError as error:
            problems.append(str(error))
        else:
            pictures.append(picture)
            labels.append(label)
    if problems:
        raise InputError(
            f"{len(problems)} of {len(pairs)} pairs cannot be used: {listed(problems, '; ')}. Nothing was trained."
        )
    if len({label.ndim for label in labels}) > 1:
        raise InputError("Some masks are images and some are volumes; compare them separately.")
    return pictures, labels


def read(path: Path, *, is_mask: bool) -> Array:
    try:
        if suffix_of(path) == ".npy":
            return np.array(np.load(path, allow_pickle=False, mmap_mode="r"))  # no more than the file contains
        if suffix_of(path) in NIFTI:
            return read_nifti(path)
        if suffix_of(path) in (".tif", ".tiff"):
            return np.asarray(imread(path))
        with Image.open(path) as picture:
            flat = picture.mode in ("P", "CMYK") and not is_mask  # a mask's palette indices are its classes
            return np.asarray(picture.convert("RGB") if flat else picture)
    except UNREADABLE as error:
        raise InputError(f"{path.name} cannot be read ({error})") from error


def read_nifti(path: Path) -> Array:
    """(D, H, W) or (D, H, W, channels); NIfTI stores x first."""
    try:
        import nibabel
    except ImportError as error:
        raise InputError(f"{path.name} is NIfTI, which needs nibabel: pip install nibabel") from error
    try:
        image: Any = nibabel.load(path)
        stored: Array = np.asarray(image.dataobj)
    except nibabel.filebasedimages.ImageFileError as error:
        raise OSError(str(error)) from error
    return np.transpose(stored, (2, 1, 0, *range(3, stored.ndim)) if stored.ndim > 2 else None)


def as_picture(pixels: Array, path: Path, dimensions: int) -> Array:
    if pixels.ndim == dimensions:
        pixels = pixels[..., None]
    if pixels.ndim != dimensions + 1 or pixels.shape[-1] > 4:
        space = "H, W" if dimensions == 2 else "D, H, W"
        what = "an image" if dimensions == 2 else "the image of a volume's mask"
        raise InputError(f"{path.name} has shape {pixels.shape}; {what} is ({space}) or ({space}, up to 4 channels)")
    if suffix_of(path) not in ARRAYS and pixels.shape[-1] in (2, 4):
        pixels = pixels[..., :-1]  # transparency
    highest = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "iu" else 1
    numbers = (pixels / highest).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"{path.name} contains NaN or infinite values")
    return numbers


def as_labels(mask: Array, path: Path) -> Array:
    if suffix_of(path) in ARRAYS and mask.ndim > 2 and mask.shape[-1] == 1:
        mask = mask[..., 0]
    elif suffix_of(path) not in ARRAYS and mask.ndim == 3:
        colours = mask[..., : -1 if mask.shape[-1] in (2, 4) else None]
        if (colours != colours[..., :1]).any():
            raise InputError(f"{path.name} is a colour image; a mask has one number per pixel, its class")
        mask = colours[..., 0]
    if mask.ndim not in (2, 3) or (mask.dtype.kind == "f" and (mask != np.round(mask)).any()):
        raise InputError(f"{path.name} is not a mask of class numbers (shape {mask.shape}, {mask.dtype})")
    if suffix_of(path) in (".jpg", ".jpeg"):
        if ((mask > 48) & (mask < 207)).mean() > 0.05:
            raise InputError(f"{path.name} is a JPEG whose values are not near 0 and 255; save masks as PNG")
        return np.where(mask > 127, 255, 0).astype(np.int64)
    return mask.astype(np.int64)


def listed(names: list[str], separator: str = ", ") -> str:
    shown = separator.join(sorted(names)[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
