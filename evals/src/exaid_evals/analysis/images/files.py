"""Which files of a folder are images."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from exaid_evals.artifacts.printable import printable

SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".jp2",
        ".avif",
        ".heic",
        ".heif",
    }
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to audit.

    Attributes:
        path: where it lies.
        name: its path below the folder, with `/`; what no text can hold is escaped.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        images: in the order of their names' bytes.
        n_others: files that are not images by their names.
        unread: folders that could not be listed, with the reason.
    """

    images: tuple[ImageFile, ...]
    n_others: int
    unread: tuple[tuple[str, str], ...]


def list_images(root: Path) -> Listing:
    """List a folder and all below it. Links are followed, each folder is entered once; names with a dot first are not.

    Real folders go before links, so that an image has its own name where it has two.
    """
    images: list[ImageFile] = []
    unread: list[tuple[str, str]] = []
    others, waiting, seen = 0, [root], set()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            unread.append((_name(folder, root), error.strerror or type(error).__name__))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                waiting.insert(0 if entry.is_symlink() else len(waiting), folder / entry.name)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - of tens of thousands
                images.append(ImageFile(folder / entry.name, _name(folder / entry.name, root)))
            else:
                others += 1
    images.sort(key=lambda image: os.fsencode(image.path))  # all begin with the root
    return Listing(tuple(images), others, tuple(sorted(unread)))


def _name(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return printable(name)
    return name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
