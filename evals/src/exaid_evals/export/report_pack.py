"""`report-pack`: tables and figures into an article's folder, and into the marked blocks of its .tex files.

What an export or a campaign has is found by name, with the place where each file is copied to. Everything is planned
before anything is written, so that a mistake in one file leaves all of them as they are; each file is then replaced
whole. What is as it should be is not touched, so that a second run changes nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from exaid_evals.artifacts.atomic import atomic_file
from exaid_evals.artifacts.redaction import clipped
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.report_pack_blocks import declared_encoding, find_blocks, rewritten
from exaid_evals.files import read_regular, unreadable

TABLE, FIGURE = "table", "figure"
_DEEPEST_SOURCE = 8
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
    for _ in range(_DEEPEST_SOURCE):
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


_MAX_TEX = 32 * 1024 * 1024
_MAX_COPY = 512 * 1024 * 1024
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not as it should be.

    Attributes:
        target: in the article's folder.
        before: its bytes; None where it is missing.
        after: what they should be.
    """

    target: Path
    before: bytes | None
    after: bytes

    def first_difference(self) -> str:
        """Return where the two first differ: `file:line: has '…', where '…' belongs`; of pictures the file alone."""
        if self.before is None:
            return f"{self.target}: is missing"
        if b"\0" in self.before[:8192] or self.target.suffix in (".pdf", ".png"):
            return f"{self.target}: differs"
        old, new = self.before.splitlines(), self.after.splitlines()
        for number, (has, wants) in enumerate(zip(old, new, strict=False), start=1):
            if has != wants:
                return f"{self.target}:{number}: has {_shown(has)}, where {_shown(wants)} belongs"
        number = min(len(old), len(new)) + 1
        if len(old) == len(new):
            return f"{self.target}: its line ends differ"
        what = (
            f"ends, where {_shown(new[number - 1])} belongs"
            if len(new) > len(old)
            else f"has {_shown(old[number - 1])}, where the file ends"
        )
        return f"{self.target}:{number}: {what}"


@dataclass(frozen=True, slots=True)
class Pack:
    """What is to be done.

    Attributes:
        changes: files that are not as they should be, copies before .tex files.
        n_copies: files that are copied, those that are as they should be included.
        n_blocks: blocks, in all .tex files.
        unused: names of tables and figures that no block asks for.
    """

    changes: tuple[Change, ...]
    n_copies: int
    n_blocks: int
    unused: tuple[str, ...]


def plan(source: Path, article: Path) -> Pack:
    """Find out what is to be done, and do nothing.

    Args:
        source: folder of an export or of a campaign.
        article: the article's folder, which must exist.

    Raises:
        ConfigError: names every mistake in the article's markers, each with file and line.
        DataError: nothing can be copied, or something would be written outside the article's folder.
    """
    source, article = _folder(source, "--from"), _folder(article, "--to")
    if source == article:
        raise ConfigError("is the folder that is read, too", where="--to", remedy="name the article's folder")
    items = find_items(source, article)
    changes = [change for copy in items.copies if (change := _copied(copy, article)) is not None]
    found, n_blocks, used = _tex_changes(article, source, items)
    unused = tuple(sorted(item.name for item in items.items if item.name not in used))
    return Pack((*changes, *found), len(items.copies), n_blocks, unused)


def apply(pack: Pack) -> None:
    """Write the changes; a file keeps its permissions."""
    for change in pack.changes:
        mode = stat.S_IMODE(change.target.stat().st_mode) if change.before is not None else None
        with atomic_file(change.target) as stream:
            stream.write(change.after)
            if mode is not None:
                os.fchmod(stream.fileno(), mode)


def _folder(path: Path, option: str) -> Path:
    if not path.is_dir():
        what = "is not a folder" if path.exists() else "no such folder"
        raise ConfigError(what, where=f"{option} {path}", remedy="check the path")
    return path.resolve()


def _copied(copy: Copy, article: Path) -> Change | None:
    target = _within(article, copy.target)
    after = read_regular(copy.source, _MAX_COPY)
    before = read_regular(target, _MAX_COPY) if target.exists() else None
    return None if before == after else Change(target, before, after)


def _within(article: Path, below: PurePosixPath) -> Path:
    """Return a path in the article's folder of which no part is a link: writing through it could lead anywhere."""
    path = article
    for part in below.parts:
        path = path / part
        if part in ("..", "") or path.is_symlink():
            raise DataError("is a link, through which nothing is written", where=str(path), remedy="remove the link")
    return path


def _tex_changes(article: Path, source: Path, items: Items) -> tuple[list[Change], int, set[str]]:
    files = {path: read_regular(path, _MAX_TEX) for path in _tex_files(article, source, items)}
    declared = {found for data in files.values() if (found := declared_encoding(data)) is not None}
    encoding = declared.pop() if len(declared) == 1 else None
    problems: list[ConfigError] = []
    changes: list[Change] = []
    used: set[str] = set()
    n_blocks = 0

    def content(name: str) -> str:
        item = items.find(name)
        used.add(item.name)
        if item.kind == TABLE:
            return read_regular(item.copy.source, _MAX_TEX).decode("utf-8")
        return f"\\includegraphics[width=\\linewidth]{{{item.copy.target}}}\n"

    for path, before in files.items():
        blocks, wrong = find_blocks(path, before)
        if wrong:
            problems += wrong
            continue
        if not blocks:
            continue
        if path.is_symlink():
            where = f"{path}:{blocks[0].line}"
            problems.append(
                ConfigError(
                    "a block stands in a link, through which nothing is written",
                    where=where,
                    remedy="replace the link by the file",
                )
            )
            continue
        after, wrong = rewritten(path, before, blocks, content, encoding)
        problems += wrong
        n_blocks += len(blocks)
        if after != before:
            changes.append(Change(path, before, after))
    if problems:
        raise ConfigError.of(problems)
    return changes, n_blocks, used


def _tex_files(article: Path, source: Path, items: Items) -> list[Path]:
    """Return the article's .tex files, without those that are copied there; folders that are links are passed over."""
    copies = {article / copy.target for copy in items.copies}
    found: list[Path] = []
    for place, folders, names in os.walk(article, followlinks=False):
        here = Path(place)
        deep = len(here.relative_to(article).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and deep < _DEEPEST)
        folders[:] = [name for name in folders if here / name != source]
        found += [here / name for name in sorted(names) if name.lower().endswith(".tex")]
    return sorted(path for path in found if path not in copies and path.is_file())


def _shown(line: bytes) -> str:
    return repr(clipped(line.decode("utf-8", errors="replace"), 80))
