"""What an export or a campaign has for an article: tables and figures by name, and where each is copied to."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import unreadable

TABLE, FIGURE = "table", "figure"
_DEEPEST = 8
_MOST_FILES = 20_000
_PICTURES = (".pdf", ".png")
_PASSED_OVER = {"logs", "__pycache__"}
# What TeX takes in the name of a file as it stands, on every system.
_UNSAFE = re.compile(r"[^A-Za-z0-9._+/-]")


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to copy.

    Attributes:
        source: where it lies.
        target: below the article's folder, with `/`, in characters that TeX takes.
    """

    source: Path
    target: PurePosixPath


@dataclass(frozen=True, slots=True)
class Item:
    """A table or a figure.

    Attributes:
        kind: `table` or `figure`.
        name: what a block may call it; the last part alone serves where no other item has it.
        copy: of a table its LaTeX, of a figure its PDF, else its PNG.
    """

    kind: str
    name: str
    copy: Copy


@dataclass(frozen=True, slots=True)
class Items:
    """Everything that is found.

    Attributes:
        items: tables and figures.
        copies: all files, the items' data included, in order of their targets.
    """

    items: tuple[Item, ...]
    copies: tuple[Copy, ...]

    def find(self, wanted: str) -> Item:
        """Return the item of a name: `main`, `exports/main`, or `figure:main` where a table has it too.

        Raises:
            ConfigError: there is none, or several; says which there are.
        """
        kind, colon, rest = wanted.partition(":")
        name = rest if colon and kind in (TABLE, FIGURE) else wanted
        kinds = (kind,) if name is not wanted else (TABLE, FIGURE)
        of_kind = [item for item in self.items if item.kind in kinds]
        found = [item for item in of_kind if item.name == name]
        found = found or [item for item in of_kind if item.name.rpartition("/")[2] == name]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(f"{item.kind}:{item.name}" for item in found)
            raise ConfigError(f"{wanted!r} may be {several}", remedy="write the whole name")
        known = ", ".join(sorted({item.name.rpartition("/")[2] for item in self.items})[:12])
        raise ConfigError(f"no table or figure is called {wanted!r}", remedy=f"there are {known or 'none at all'}")


def find_items(source: Path, article: Path) -> Items:
    """Return what lies in an export's folder, or in a campaign's metrics and exports.

    Args:
        source: the folder.
        article: is passed over where it lies in there.

    Raises:
        DataError: nothing lies there, or two files would be copied to one place.
    """
    campaign = Campaign(source)
    roots = [(source, "")]
    if campaign.tables.is_dir() or campaign.figures.is_dir():
        roots = [(campaign.tables, ""), (campaign.figures, ""), (campaign.exports, "exports/")]
    copies: dict[PurePosixPath, Copy] = {}
    for root, prefix in roots:
        drawn = root == campaign.figures
        for path in _files(root, article):
            copy = Copy(path, _target(path.relative_to(root), prefix, drawn=drawn))
            other = copies.setdefault(copy.target, copy)
            if other is not copy:
                raise DataError(
                    f"{other.source} and {path} would both become {copy.target}",
                    where=str(source),
                    remedy="rename one of them",
                )
    if not copies:
        remedy = "name the folder that `exaid-evals export` wrote, or a campaign's"
        raise DataError("holds no table and no figure", where=str(source), remedy=remedy)
    ordered = tuple(copies[target] for target in sorted(copies))
    return Items(tuple(_items(ordered)), ordered)


def _items(copies: Sequence[Copy]) -> Iterator[Item]:
    pictures: dict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        folder, name = copy.target.parts[0], PurePosixPath(*copy.target.parts[1:]).with_suffix("").as_posix()
        if folder == "tables" and copy.target.suffix == ".tex":
            yield Item(TABLE, name, copy)
        elif copy.target.suffix in _PICTURES:
            pictures[name].append(copy)
    for name, forms in sorted(pictures.items()):
        yield Item(FIGURE, name, min(forms, key=lambda copy: copy.target.suffix))  # .pdf before .png


def _target(below: Path, prefix: str, *, drawn: bool) -> PurePosixPath:
    """Return where a file goes: pictures, and what lies beside them in a folder `figures`, to `figures/`."""
    is_figure = drawn or below.suffix.lower() in _PICTURES or "figures" in below.parts[:-1]
    parts = [part for part in below.parts[:-1] if part not in ("figures", "tables")]
    name = "/".join([*parts, f"{below.stem}{below.suffix.lower()}"])
    return PurePosixPath(_UNSAFE.sub("_", f"{'figures' if is_figure else 'tables'}/{prefix}{name}"))


def _files(root: Path, article: Path) -> Iterator[Path]:
    """Yield tables, pictures and their data, by name; links, hidden and log folders are passed over."""
    level, seen = [root], 0
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for place in level:
            try:
                with os.scandir(place) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise unreadable(place, error) from None
            for entry in entries:
                path = Path(entry.path)
                if entry.name.startswith(".") or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if path != article and entry.name not in _PASSED_OVER:
                        below.append(path)
                elif entry.is_file() and path.suffix.lower() in (".tex", ".csv", *_PICTURES):
                    seen += 1
                    if seen > _MOST_FILES:
                        raise DataError(
                            f"more than {_MOST_FILES:,} files", where=str(root), remedy="name the right folder"
                        )
                    yield path
        level = below
