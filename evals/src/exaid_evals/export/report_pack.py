"""`report-pack`: tables and figures into an article's folder, and into the marked blocks of its .tex files.

Everything is planned before anything is written, so that a mistake in one file leaves all of them as they are; each
file is then replaced whole. What is as it should be is not touched, so that a second run changes nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from exaid_evals.artifacts.atomic import atomic_file
from exaid_evals.artifacts.content import content_chunks
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.report_pack_blocks import declared_encoding, find_blocks, rewritten
from exaid_evals.export.report_pack_items import TABLE, Copy, Items, find_items

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
    after = _content(copy.source, _MAX_COPY)
    before = _content(target, _MAX_COPY) if target.exists() else None
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
    files = {path: _content(path, _MAX_TEX) for path in _tex_files(article, source, items)}
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
            return _content(item.copy.source, _MAX_TEX).decode("utf-8")
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


def _content(path: Path, most: int) -> bytes:
    data = bytearray()
    for chunk in content_chunks(path):
        data += chunk
        if len(data) > most:
            raise DataError(f"is larger than {most >> 20} MiB", where=str(path), remedy="name the right file")
    return bytes(data)


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return repr(text if len(text) <= 80 else f"{text[:79]}…")


def names(items: Sequence[str], most: int = 8) -> str:
    """Return names as a line."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
