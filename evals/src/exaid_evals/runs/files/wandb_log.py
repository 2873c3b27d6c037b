"""W&B's transaction log, `run-<id>.wandb`: all that an offline run leaves of its configuration and summary.

The file is a LevelDB log with a header of its own and IEEE checksums; its records are protocol buffers. Both are read
here as far as an export needs them, so that neither wandb nor protobuf must be installed, and nothing that a file says
is executed. Field numbers are those of
`wandb/proto/wandb_internal.proto` (checked against 0.31); unknown fields are passed over.
"""

from __future__ import annotations

import bisect
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.document import parsed
from exaid_evals.runs.history import Series, series_of
from exaid_evals.runs.rows import split_system

MAX_BYTES = 512 * 1024 * 1024

_HEADER = struct.Struct("<4sHB")
_IDENT, _MAGIC = b":W&B", 0xBEE1
_CHUNK = struct.Struct("<IHB")
_BLOCK = 32 * 1024
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

# Record: which field holds what.
_STATS = 7
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT, _FINAL, _HEADER_RECORD = 2, 3, 5, 17, 18, 20, 21


@dataclass(slots=True)
class WandbLog:
    """What a log says in the end.

    Attributes:
        summary: dotted key → value, the last of each.
        config: key → value.
        run: `run_id`, `project`, `group`, `display_name`, `commit`, as far as they stand there.
        n_steps: rows of history.
        exit_code: of the run; None where it did not end.
        warnings: what is odd.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    run: dict[str, str] = field(default_factory=dict)
    n_steps: int = 0
    exit_code: int | None = None
    warnings: list[str] = field(default_factory=list)


class DamagedError(ValueError):
    """The bytes are not records; says why."""


def read_log(path: Path) -> WandbLog:
    """Read a log; where it breaks off, as that of a killed run does, what stands before is kept with a warning.

    Raises:
        DataError: the file is no such log, too large, or breaks off before its first record.
    """
    log = WandbLog()
    n_records = 0
    try:
        for record in _records(_content(path)):
            _take(log, record)
            n_records += 1
    except DamagedError as error:
        if not n_records:
            raise DataError(
                f"is not a log of W&B ({error})", where=str(path), remedy="write or copy it again"
            ) from None
        log.warnings.append(f"{path.name} breaks off after {n_records} records ({error}); what stands before was read")
    if not n_records:
        raise DataError("holds no record", where=str(path), remedy="wait for its end, or leave it out")
    return log


def each_row(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what a log holds besides its end, in order: `history` or `system`, and dotted key → value, NaN kept.

    Where the log breaks off the rows end; `read_log` tells of it.

    Raises:
        DataError: the file cannot be read, or is too large.
    """
    kinds = {_HISTORY: ("history", 1), _STATS: ("system", 3)}
    try:
        for record in _records(_content(path)):
            for number, value in fields_of(record):
                if number in kinds and isinstance(value, memoryview):
                    kind, item = kinds[number]
                    row: dict[str, Any] = {}
                    _update(row, value, item=item, constant=float)
                    if kind == "system":
                        row["_timestamp"] = _seconds(value)
                    yield kind, row
    except DamagedError:
        return


def _seconds(stats: memoryview) -> float | None:
    """Return when a record of system metrics was made; None where it does not say."""
    stamp = next(messages_of(stats, 2), None)
    if stamp is None:
        return None
    parts = {one: part for one, part in fields_of(stamp) if isinstance(part, int)}
    return parts.get(1, 0) + parts.get(2, 0) / 1e9


def _content(path: Path) -> memoryview:
    return memoryview(content_of(path, MAX_BYTES, "export its summary alone"))


def _records(data: memoryview) -> Iterator[bytes]:
    """Yield the records of a log: chunks within blocks of 32 KiB, put together again.

    Raises:
        DamagedError: the header, a checksum or the order of chunks is wrong, or the last chunk is not whole.
    """
    if len(data) < _HEADER.size or _HEADER.unpack_from(data)[:2] != (_IDENT, _MAGIC):
        raise DamagedError("its first bytes are others")
    at, held = _HEADER.size, bytearray()
    within = False
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < _CHUNK.size:
            at += left
            continue
        if at + _CHUNK.size > len(data):
            raise DamagedError("the last chunk is not whole")
        checksum, length, kind = _CHUNK.unpack_from(data, at)
        if not checksum and not length and not kind:  # zeros to the end of a file that was laid out beforehand
            at += left
            continue
        chunk = data[at + _CHUNK.size : at + _CHUNK.size + length]
        if len(chunk) < length:
            raise DamagedError("the last chunk is not whole")
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or zlib.crc32(chunk, zlib.crc32(bytes([kind]))) != checksum:
            raise DamagedError(f"the checksum at byte {at} is wrong")
        if within != (kind in (_MIDDLE, _LAST)):
            raise DamagedError(f"the chunk at byte {at} continues nothing")
        held += chunk
        within = kind in (_FIRST, _MIDDLE)
        if not within:
            yield bytes(held)
            held.clear()
        at += _CHUNK.size + length
    if within:
        raise DamagedError("the last record is not whole")


def _take(log: WandbLog, record: bytes) -> None:
    for number, value in fields_of(record):
        if not isinstance(value, memoryview):
            continue
        if number == _HISTORY:
            log.n_steps += 1
            _update(log.summary, value, item=1)
        elif number == _SUMMARY:
            _update(log.summary, value, item=1, removed=2)
        elif number == _CONFIG:
            _update(log.config, value, item=1, removed=2)
        elif number == _RUN:
            _take_run(log, value)
        elif number == _EXIT:
            log.exit_code = next((code for one, code in fields_of(value) if one == 1 and isinstance(code, int)), 0)


def _take_run(log: WandbLog, run: memoryview) -> None:
    names = {1: "run_id", 3: "project", 6: "group", 8: "display_name"}
    for number, value in fields_of(run):
        if not isinstance(value, memoryview):
            continue
        if number in names:
            log.run[names[number]] = _text(value)
        elif number == 4:
            _update(log.config, value, item=1, removed=2)
        elif number == 5:
            _update(log.summary, value, item=1, removed=2)
        elif number == 21 and (commit := next(map(_text, messages_of(value, 2)), "")):
            log.run["commit"] = commit


def _update(
    target: dict[str, Any],
    message: memoryview,
    *,
    item: int,
    removed: int | None = None,
    constant: Callable[[str], Any] = lambda _: None,
) -> None:
    """Apply `update` items, and `remove` ones, to a flat mapping; a value that is a mapping becomes dotted keys."""
    for number, value in fields_of(message):
        if number not in (item, removed) or not isinstance(value, memoryview):
            continue
        key, text = "", None
        nested: list[str] = []
        for one, part in fields_of(value):
            if not isinstance(part, memoryview):
                continue
            if one == 1:
                key = _text(part)
            elif one == 2:
                nested.append(_text(part))
            elif one == 16:
                text = _text(part)
        name = ".".join(nested) or key
        value_now = _value(text, constant) if number == item else None
        # Only a mapping, or what is removed, can leave keys of its own behind; a plain number replaces itself.
        if number == removed or isinstance(value_now, dict):
            for old in [old for old in target if old == name or old.startswith(f"{name}.")]:
                del target[old]
        if number == item and name:
            target |= flat(name, value_now)


def flat(name: str, value: Any, deep: int = 0) -> dict[str, Any]:
    """Return a value as dotted keys.

    >>> flat("val", {"accuracy": 0.5, "by": {"a": 1}})
    {'val.accuracy': 0.5, 'val.by.a': 1}
    """
    if not isinstance(value, dict) or not value or deep > 20:
        return {name: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found |= flat(f"{name}.{key}", item, deep + 1)
    return found


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with dotted keys."""
    return {key: item for name, value in values.items() for key, item in flat(str(name), value).items()}


def settings_in(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted keys, without W&B's wrapping `{desc, value}` and what wandb notes of itself."""
    return flattened(
        {
            key: item["value"] if isinstance(item, dict) and "value" in item else item
            for key, item in config.items()
            if key not in ("_wandb", "wandb_version")
        }
    )


def _value(text: str | None, constant: Callable[[str], Any]) -> Any:
    """Return what stands in `value_json`; what is not JSON stays text. NaN and infinities are what `constant` makes."""
    try:
        return parsed(text or "null", parse_constant=constant)
    except (ValueError, RecursionError):
        return text


def _text(data: memoryview) -> str:
    return bytes(data).decode("utf-8", errors="replace")


def fields_of(message: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a protocol buffer: number and value; of groups, which nobody writes any more, nothing.

    Source: the encoding guide of Protocol Buffers.

    Raises:
        DamagedError: the bytes are none.
    """
    data = memoryview(message)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise DamagedError(f"a field of the unknown kind {kind}")
        if at + length > len(data):
            raise DamagedError("a field that is longer than its record")
        yield number, data[at : at + length]
        at += length


def messages_of(message: bytes | memoryview, wanted: int) -> Iterator[memoryview]:
    """Yield the fields of one number that are messages or text."""
    return (value for number, value in fields_of(message) if number == wanted and isinstance(value, memoryview))


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise DamagedError("a number that does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise DamagedError("a number of more than 64 bits")


Row = Mapping[str, Any]
STEP, TIME = "_step", "_timestamp"


def logged(rows: Iterable[Row], warnings: list[str]) -> list[dict[str, Any]]:
    """Return rows with dotted keys, without media and what wandb notes of itself.

    W&B logs an image, a histogram or a table as an object with a `_type`, whose width and size are not metrics of the
    training; how many were left out is reported in `warnings`.
    """
    found: list[dict[str, Any]] = []
    left_out: Counter[tuple[str, str]] = Counter()
    for row in rows:
        dotted = flattened(row)
        media = {key.removesuffix("._type"): str(value) for key, value in dotted.items() if key.endswith("._type")}
        left_out.update(media.items())
        hidden = tuple(f"{name}." for name in (*media, "_wandb"))
        found.append({key: value for key, value in dotted.items() if not f"{key}.".startswith(hidden)})
    warnings += [
        f"{name}: {count} rows hold a {kind}, which is not a metric; they are left out"
        for (name, kind), count in left_out.items()
    ]
    return found


def system_series(events: Sequence[Row], rows: Sequence[Row], warnings: list[str]) -> dict[str, Series]:
    """Return system metric → series, without W&B's prefix `system.`.

    System metrics are sampled by the clock: each gets the step of the last row of history before it, and of several
    that fall on one step the last counts. Those that cannot be placed are reported.

    Args:
        events: rows with `_timestamp`, in s since the epoch.
        rows: of history, with `_step` and `_timestamp`.
        warnings: takes what is left out.
    """
    timed = sorted((float(row[TIME]), float(row[STEP])) for row in rows if _has(row, TIME, STEP))
    times = [time for time, _ in timed]
    placed: dict[float, dict[str, Any]] = {}
    lost = replaced = 0
    for event in sorted((event for event in events if _has(event, TIME)), key=lambda event: float(event[TIME])):
        if not timed:
            lost += 1
            continue
        at = max(bisect.bisect_right(times, float(event[TIME])) - 1, 0)
        values = {key: value for key, value in event.items() if not key.startswith("_")}
        there = placed.setdefault(timed[at][1], {})
        replaced += len(there.keys() & values.keys())
        there.update(values)
    lost += sum(not _has(event, TIME) for event in events)
    if lost:
        warnings.append(f"{lost} rows of system metrics have no time that gives their step; they are left out")
    if replaced:
        warnings.append(f"{replaced} values of system metrics fall on a step that has a later one, which counts")
    metrics, prefixed = split_system(series_of(sorted(placed.items())))
    return {**metrics, **prefixed}


def _has(row: Row, *names: str) -> bool:
    return all(isinstance(row.get(name), int | float) for name in names)
