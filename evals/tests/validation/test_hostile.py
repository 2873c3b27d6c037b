"""Hostile files: each gives a finding with a remedy, none stops the rest, and none takes the memory."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checking import found_in, found_in_campaign
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.config.campaign import Campaign
from factories import trace_records

GOOD = json.dumps(trace_records()[0]).encode()
GOOD_GZ = gzip.compress(GOOD + b"\n")


def _raw(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _folder(folder: Path) -> Path:
    (folder / "x.jsonl").mkdir()
    return folder / "x.jsonl"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "x.jsonl")
    return folder / "x.jsonl"


def _link(to: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "x.jsonl").symlink_to(to)
        return folder / "x.jsonl"

    return make


def _with(**fields: object) -> bytes:
    return json.dumps(trace_records()[0] | fields).encode() + b"\n"


HOSTILE: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "truncated gzip": (_raw("case-1000.jsonl.gz", GOOD_GZ[:-5]), 2, "truncated gzip: the file ends early"),
    "no gzip": (
        _raw("case-1000.jsonl.gz", GOOD),
        0,
        "damaged gzip (Error -3 while decompressing data: incorrect header check)",
    ),
    "half a line": (_raw("case-1000.jsonl", GOOD[:-9]), 1, "half a line, without its newline"),
    "invalid UTF-8": (_raw("case-1000.jsonl", b'{"a":"\xc3"}\n'), 1, "invalid UTF-8 at byte 6"),
    "a key twice": (_raw("case-1000.jsonl", b'{"a":1,"a":2}\n'), 1, "the key 'a' is a duplicate"),
    "NaN": (_raw("case-1000.jsonl", b'{"a":NaN}\n'), 1, "NaN is not JSON"),
    "infinity": (_raw("case-1000.jsonl", b'{"a":-Infinity}\n'), 1, "-Infinity is not JSON"),
    "an unknown schema": (_raw("case-1000.jsonl", _with(schema_name="exaid.dream")), 1, "unknown schema 'exaid.dream'"),
    "a newer version": (
        _raw("case-1000.jsonl", _with(schema_version="9.0.0")),
        1,
        "exaid.trace 9.0.0 is newer than this release reads (1.3.0)",
    ),
    "an unknown version": (
        _raw("case-1000.jsonl", _with(schema_version="1.0.9")),
        1,
        "unknown version '1.0.9' of exaid.trace",
    ),
    "no schema": (_raw("case-1000.jsonl", b"{}\n"), 1, "no schema_name and schema_version"),
    "no object": (_raw("case-1000.jsonl", b"[]\n"), 1, "a list where a record must stand"),
    "empty": (_raw("case-1000.jsonl", b""), 0, "is empty"),
    "empty gzip": (_raw("case-1000.jsonl.gz", gzip.compress(b"")), 0, "is empty"),
    "no byte of gzip": (_raw("case-1000.jsonl.gz", b""), 0, "is empty"),
    "deep": (
        _raw("case-1000.jsonl", b'{"a":' * 400 + b"1" + b"}" * 400 + b"\n"),
        1,
        "nested more than 250 levels deep",
    ),
    "a huge integer": (
        _raw("case-1000.jsonl", b'{"a":' + b"1" * 50 + b"}\n"),
        1,
        "the integer 11111111111111111111… needs more than 64 bits",
    ),
    "a folder": (_folder, 0, "is a folder, where a file must stand"),
    "a pipe": (_pipe, 0, "is not an ordinary file, where a file must stand"),
    "a device": (_link("/dev/zero"), 0, "is not an ordinary file, where a file must stand"),
    "a link to itself": (_link("x.jsonl"), 0, "cannot be read (Too many levels of symbolic links)"),
    "a link to nothing": (_link("nowhere"), 0, "no such file"),
    "a file that breaks off": (_link("/proc/self/mem"), 0, "cannot be read (Input/output error)"),
}


@pytest.mark.parametrize(("make", "line", "what"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_finding_at_its_line(
    tmp_path: Path, make: Callable[[Path], Path], line: int, what: str
) -> None:
    """Each kind of damage has one line that says what it is."""
    assert found_in(make(tmp_path)) == [(line, what)]


def test_the_rest_of_the_files_is_still_checked(campaign: Campaign) -> None:
    """Every hostile file at once in one campaign: each is named, and what is sound stays unaccused."""
    expected = []
    for number, (make, line, what) in enumerate(HOSTILE.values()):
        folder = campaign.runs / f"X{number}"
        folder.mkdir()
        expected.append((make(folder).name, line, what))
    assert found_in_campaign(campaign) == sorted(expected)


def test_a_link_that_leads_back_is_not_followed(campaign: Campaign) -> None:
    """Folders in a circle are walked once; the link is named."""
    (campaign.runs / "V9").symlink_to(campaign.root)
    assert found_in_campaign(campaign) == [("V9", 0, "a link that leads back to a folder above it")]


def test_a_link_to_another_folder_is_followed_once(campaign: Campaign, tmp_path: Path) -> None:
    """Traces may lie elsewhere; a link beside what it links to adds nothing and accuses nobody."""
    elsewhere = campaign.traces.rename(tmp_path / "frozen")
    campaign.traces.symlink_to(elsewhere)
    (campaign.runs / "V1").symlink_to(campaign.runs / "V3")
    assert found_in_campaign(campaign) == []


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """Return a folder that any user may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_unreadable_file_is_one_finding(readable_by_all: Path) -> None:
    """Without permission, the finding says so; root, who has every permission, steps down for the test."""
    path = readable_by_all / "case-1000.jsonl"
    write_jsonl(path, trace_records())
    path.chmod(0)
    locked = readable_by_all / "locked"
    locked.mkdir(mode=0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        found = found_in(path), found_in(locked / "x.jsonl")
    finally:
        os.seteuid(user)
    assert found == ([(0, "cannot be read (Permission denied)")], [(0, "cannot be read (Permission denied)")])


_MEASURE = """
import resource, sys
from pathlib import Path
from exaid_evals.validation.file import check_file
from exaid_evals.validation.targets import Target
from exaid_evals.validation.base import Surroundings
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = check_file(Target(sys.argv[1]), Surroundings(), keep=5)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // 1024, report.n_findings, *[f"{f.line}:{f.what}" for f in report.findings], sep="|")
"""


def _write_big(path: Path, piece: bytes, times: int, end: bytes) -> None:
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as stream:
        for _ in range(times):
            stream.write(piece)
        stream.write(end)


@pytest.mark.parametrize(
    ("name", "piece", "end", "expected"),
    [
        ("x.jsonl", b"a" * (1 << 20), b"\n{}\n", "2|1:a line of more than 16 MiB|2:no schema_name and schema_version"),
        (
            "x.jsonl.gz",
            b"a" * (1 << 20),
            b"\n{}\n",
            "2|1:a line of more than 16 MiB|2:no schema_name and schema_version",
        ),
        ("x.json", b" " * (1 << 20), b"{}", "1|a document of more than 16 MiB"),
        ("y.jsonl.gz", b"\n" * (1 << 20), b"", None),
    ],
    ids=["a line of 200 MB", "the same in a small gzip", "a document of 200 MB", "millions of lines"],
)
def test_memory_stays_small(tmp_path: Path, name: str, piece: bytes, end: bytes, expected: str | None) -> None:
    """A 200 MB line, plain or unpacked from a bomb, and millions of bad lines cost no more than 64 MiB."""
    path = tmp_path / name
    _write_big(path, piece, 200, end)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    grown, rest = done.stdout.strip().split("|", 1)
    assert int(grown) < 64
    if expected:
        assert rest.replace("|0:", "|") == expected
    else:
        assert rest.startswith("10001|1:an empty line|2:an empty line")
