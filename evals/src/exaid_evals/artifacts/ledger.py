"""What a stage has finished: its ledger, so that nothing is done again, and its parts (`--shard I/N`) with their merge.

Resumption and skipping need more than "the file exists": an output counts as current only when the hash of
everything it depends on, this package's source included, is the recorded one and its content is what was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Self

import orjson

from exaid_evals.artifacts.atomic import Appended, atomic_file, write_bytes, write_unless_same
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.jsonl import read_jsonl, scan_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import Manifest, read_manifest, write_manifest
from exaid_evals.artifacts.redaction import printable
from exaid_evals.artifacts.storage import is_stored
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import Shard, parse_shard
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import is_plain, open_regular, read_regular

_PART = "part.json"
_MANIFEST = "part-manifest.jsonl"
_SPOOLS = "measured"
_MOST_BYTES = 10_000
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Part:
    """What a folder holds of a stage.

    Attributes:
        stage: the verb.
        shard: which part.
        made_from: hash of all that the whole stage depends on; the parts of one stage share it.
    """

    stage: str
    shard: Shard
    made_from: str

    def begin(self, campaign: Campaign) -> None:
        """Take a folder for the part; until `end`, it is not a finished one.

        Raises:
            ConfigError: the folder holds a campaign, or another part.
        """
        held = read_part(campaign)
        if campaign.manifest_file.exists() or (held and (held.stage, held.shard) != (self.stage, self.shard)):
            what = f"holds part {held.shard} of {held.stage}" if held else "holds a campaign"
            remedy = "name an empty folder for this part alone"
            raise ConfigError(what, where=f"--into {campaign.root}", remedy=remedy)
        (campaign.state / _PART).unlink(missing_ok=True)

    def end(self, campaign: Campaign, manifest: Manifest | None = None) -> None:
        """Mark the part as whole.

        Args:
            campaign: its folder.
            manifest: of stage 01: that of the whole stage, with this part's traces.
        """
        if manifest is not None:
            write_manifest(campaign.state / _MANIFEST, manifest)
        record = {"stage": self.stage, "shard": str(self.shard), "made_from": self.made_from}
        write_bytes(campaign.state / _PART, canonical_bytes(record) + b"\n")


def read_part(campaign: Campaign) -> Part | None:
    """Return the finished part that a folder holds; None where it holds none.

    Raises:
        DataError: what says so is damaged.
    """
    path = campaign.state / _PART
    if not path.exists():
        return None
    try:
        record = orjson.loads(read_regular(path, _MOST_BYTES))
        return Part(str(record["stage"]), parse_shard(record["shard"]), str(record["made_from"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError("is not the mark of a part", where=str(path), remedy="make the part again") from None


def merge(into: Campaign, folders: Sequence[Path]) -> Part:
    """Join the parts of a stage in a campaign, which is then as if the stage had been done there in one.

    Files are linked where the file system can, else copied; the parts stay as they are. Interrupted, the same call
    goes on. Measured cases (stage 03) become the campaign's, whose `compute-metrics` then has them aggregated alone.

    Returns:
        The first part.

    Raises:
        DataError: a part is missing, twice there, unfinished or of another stage or configuration, or the campaign
            holds another file of the same name. The first of these is found before anything is written.
    """
    campaigns = [Campaign(folder.resolve()) for folder in folders]
    parts = [_finished(campaign) for campaign in campaigns]
    _require_whole(parts)
    first = parts[0]
    for campaign in campaigns:
        for path in _files(campaign.root):
            if campaign.state not in path.parents:
                _put(path, into.root / path.relative_to(campaign.root))
    for name in sorted({path.name for campaign in campaigns for path in campaign.state.glob("*.jsonl")} - {_MANIFEST}):
        sources = [campaign.state / name for campaign in campaigns]
        _join_ledgers(into.state / name, [*sources, into.state / name])
    for name in sorted({path.name for campaign in campaigns for path in (campaign.state / _SPOOLS).glob("*.jsonl")}):
        join_spools(into.state / _SPOOLS / name, [campaign.state / _SPOOLS / name for campaign in campaigns])
    if first.stage == "make-traces":
        write_manifest(into.manifest_file, _joined([read_manifest(one.state / _MANIFEST) for one in campaigns]))
    return first


def _finished(campaign: Campaign) -> Part:
    part = read_part(campaign)
    if part is None:
        raise DataError("holds no finished part", where=str(campaign.root), remedy="run its stage with --shard again")
    return part


def _require_whole(parts: Sequence[Part]) -> None:
    if not parts:
        raise DataError("there is no part", remedy="name the folders that --shard has written")
    kinds = {(part.stage, part.shard.of, part.made_from) for part in parts}
    if len(kinds) > 1:
        shown = ", ".join(sorted({f"{part.shard} of {part.stage}" for part in parts})[:_SHOWN])
        what = f"the parts do not belong together ({shown})"
        raise DataError(what, remedy="make all with the same command, inputs and version, but for --shard and --into")
    found = [part.shard.index for part in parts]
    missing = sorted(set(range(1, parts[0].shard.of + 1)) - set(found))
    if missing or len(found) != len(set(found)):
        named = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        what = f"part {named} of {parts[0].shard.of} is missing" if missing else "a part is named twice"
        raise DataError(what, remedy="name the folder of each part once")


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _put(path: Path, target: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise DataError("is not an ordinary file", where=str(path), remedy="make the part again")
    if target.exists():
        if not path.samefile(target) and sha256_file(path) != sha256_file(target):
            raise DataError("is there with another content", where=str(target), remedy="merge into another folder")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:  # another file system, or one without links
        with open_regular(path) as source, atomic_file(target) as copy:
            shutil.copyfileobj(source, copy)


def _join_ledgers(target: Path, sources: Sequence[Path]) -> None:
    entries: dict[str, dict[str, Any]] = {}
    for path in sources:
        for record in read_jsonl(path) if path.exists() else ():
            if not isinstance(record.get("key"), str):
                raise DataError("has a line without a key", where=str(path), remedy="make the part again")
            entries.setdefault(record["key"], record)
    write_jsonl(target, [entries[key] for key in sorted(entries)])


def join_spools(target: Path, sources: Iterable[Path]) -> None:
    """Join what parts have measured: the line that all begin with, then each one's cases.

    Raises:
        DataError: a file is missing or empty, or they do not begin alike.
    """
    lines = []
    for path in sources:
        with open_regular(path, remedy="make the part again") as stream:
            lines.append(stream.readlines())
        if not lines[-1]:
            raise DataError("is empty", where=str(path), remedy="make the part again")
    if len({one[0] for one in lines}) > 1:
        raise DataError("the parts were measured otherwise", where=str(target), remedy="make the parts again")
    write_bytes(target, lines[0][0] + b"".join(chain.from_iterable(one[1:] for one in lines)))


def _joined(manifests: Sequence[Manifest]) -> Manifest:
    entries = {entry.case_id: entry for manifest in manifests for entry in manifest.entries}
    cases = manifests[0].generation.ordered_case_list
    absent = [case_id for case_id in cases if case_id not in entries]
    if absent:
        raise DataError(f"no part holds {', '.join(absent[:_SHOWN])}", remedy="make the parts again")
    return replace(manifests[0], traces=tuple(entries[case_id] for case_id in cases))


_LOG = logging.getLogger(__name__)


class Ledger:
    """Entries `key → (inputs, output)` of one stage, kept in a JSON Lines file.

    Each finished output is appended at once, so a killed run loses nothing; leaving the `with` block rewrites
    the file sorted, so that its bytes do not tell in which order the work was done. A half-written last line,
    which a kill can leave, is ignored: that one output is made again.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Read nothing yet.

        Args:
            path: the file.
            read_only: for one who only asks, while another may be writing.
        """
        self._path = path
        self._read_only = read_only
        self._appended = Appended(path)
        self._entries: dict[str, tuple[str, str]] = {}

    def __enter__(self) -> Self:
        """Read what is recorded; a damaged file is mended, so that nothing is ever appended to half a line.

        An entry whose key is not a name of an output counts as damage: a key of others must not choose what is removed.
        """
        damaged = False
        for line in scan_jsonl(self._path) if self._path.exists() else ():
            entry = _entry(line.value) if line.value is not None else None
            if entry is None:
                damaged = True
            elif not is_plain(entry[0]):
                damaged = True
                _LOG.warning("%s:%d: %s names no output; left out", self._path, line.number, printable(entry[0][:80]))
            else:
                key, inputs, output = entry
                self._entries[key] = (inputs, output)
        if damaged:
            self._rewrite()
        return self

    def __exit__(self, *_: object) -> None:
        """Rewrite the file sorted where it is not, also when the work was interrupted."""
        if self._entries or self._path.exists():
            self._rewrite()

    def is_current(self, key: str, inputs: str, output: Path, hash_of: Callable[[Path], str] = sha256_file) -> bool:
        """Return whether `output` was made from `inputs` and is still what was written, as `hash_of` has it."""
        recorded = self._entries.get(key)
        if recorded is None or recorded[0] != inputs or not is_stored(output):
            return False
        try:
            return recorded[1] == hash_of(output)
        except DataError:  # damaged: whoever asks is about to make it again
            return False

    def record(self, key: str, inputs: str, output: Path | str) -> None:
        """Note a finished output: its file, or the hash of that where it is known."""
        digest = output if isinstance(output, str) else sha256_file(output)
        entry = {"key": key, "inputs": inputs, "output": digest}
        self._entries[key] = (inputs, entry["output"])
        self._appended.append(canonical_bytes(entry) + b"\n")

    def recorded(self) -> list[str]:
        """Return the keys of all entries, sorted."""
        return sorted(self._entries)

    def keep_only(self, keys: Iterable[str], output_of: Callable[[str], Path | None] = lambda _: None) -> None:
        """Forget every entry but these, of outputs that no longer belong to the campaign, and remove those outputs.

        Args:
            keys: of what belongs to it.
            output_of: key → what to remove; None for nothing. It raises DataError for a key that names no output.
        """
        for key in sorted(self._entries.keys() - set(keys)):
            with contextlib.suppress(DataError):
                output = output_of(key)
                if output is not None:
                    output.unlink(missing_ok=True)
            del self._entries[key]

    def output_hash(self, key: str) -> str | None:
        """Return the hash of an output as it was written; None where nothing is recorded of it."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def _rewrite(self) -> None:
        if self._read_only:
            return
        entries = sorted(self._entries.items())
        records = ({"key": key, "inputs": made[0], "output": made[1]} for key, made in entries)
        content = b"".join(canonical_bytes(record) + b"\n" for record in records)
        write_unless_same(self._path, content)


def require_as_written(path: Path, digest: str, ledger: Path, key: str, remedy: str) -> None:
    """Make sure that an output is what its stage wrote, where the stage's ledger is here and knows of it.

    Raises:
        DataError: it was changed since.
    """
    with Ledger(ledger, read_only=True) as recorded:
        written = recorded.output_hash(key)
    if written not in (None, digest):
        raise DataError("is not what was written: it has been changed since", where=str(path), remedy=remedy)


def _entry(value: Mapping[str, Any]) -> tuple[str, str, str] | None:
    key, inputs, output = value.get("key"), value.get("inputs"), value.get("output")
    if isinstance(key, str) and isinstance(inputs, str) and isinstance(output, str):
        return key, inputs, output
    return None


def fingerprint(**inputs: Any) -> str:
    """Hash named inputs together with this package's source."""
    return sha256_structure({"source": source_hash(), **inputs})


@cache
def source_hash() -> str:
    """Hash the package's own modules: a changed line of code makes every earlier output stale."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return f"sha256:{digest.hexdigest()}"
