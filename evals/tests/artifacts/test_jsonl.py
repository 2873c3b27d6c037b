"""JSON Lines: written canonically, and read as if every file were hostile."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_structures import OBJECTS
from exaid_evals.artifacts import jsonl
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import CHUNK_BYTES
from exaid_evals.artifacts.jsonl import Line, parse_line, read_jsonl, scan_document, scan_jsonl, write_jsonl
from exaid_evals.errors import DataError


@pytest.mark.parametrize("name", ["records.jsonl", "records.jsonl.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    """Records survive, in order, with their line ends in place."""
    records = [{"b": 1, "a": "é\n–"}, {}, {"x": [1.5, None]}]
    write_jsonl(tmp_path / name, records)
    assert read_jsonl(tmp_path / name) == records
    unpacked = gzip.open if name.endswith(".gz") else open
    with unpacked(tmp_path / name, "rb") as stream:
        assert stream.read() == '{"a":"é\\n–","b":1}\n{}\n{"x":[1.5,null]}\n'.encode()


def test_gzip_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    """No time, no name in the header: two files of one content are equal byte for byte."""
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write_jsonl(tmp_path / name, [{"a": 1}])
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert packed == (tmp_path / "b.jsonl.gz").read_bytes()
    assert (packed[3], packed[4:8], packed[8]) == (0, b"\0\0\0\0", 2)  # no name; mtime 0; level 9


@given(OBJECTS)
def test_whatever_is_written_canonically_is_read_as_written(value: dict[str, Any]) -> None:
    """The reader's shortcut and its slow path agree with the standard library on every canonical line."""
    raw = canonical_bytes(value)
    assert parse_line(raw, 7) == Line(7, json.loads(raw))


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "an empty line"),
        (b"  \t", "an empty line"),
        (b"{", "not valid JSON"),
        (b'{"a":1}}', "not valid JSON"),
        (b"[1]", "a list where a record must stand"),
        (b'"text"', "a text where a record must stand"),
        (b"null", "a null where a record must stand"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "invalid UTF-8 at byte 6"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":1,"b":2,"a":1}', "the key 'a' is a duplicate"),
        (b'{"b":{"a":1,"a":2}}', "the key 'a' is a duplicate"),
        (b'{"a":1,"\\u0061":2}', "the key 'a' is a duplicate"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":[-Infinity]}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "not valid JSON"),
        (b'{"a":18446744073709551616}', "the integer 18446744073709551616… needs more than 64 bits"),
        (b'{"a":-9223372036854775809}', "the integer -9223372036854775809… needs more than 64 bits"),
        (b'{"a":' + b"9" * 300 + b"}", "the integer 99999999999999999999… needs more than 64 bits"),
        (b'{"a":' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested more than 250 levels deep"),
        (b'{"a":' + b"[" * 990 + b"]" * 990 + b"}", "nested more than 250 levels deep"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
        (b'{"a":\x00}', "not valid JSON"),
    ],
)
def test_a_line_that_is_no_record_is_one_finding(raw: bytes, what: str) -> None:
    """Each way of not being a record has a name and a remedy, and none raises."""
    line = parse_line(raw, 3)
    assert (line.number, line.value) == (3, None)
    assert str(line.problem).startswith(what)
    assert line.remedy


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' { "b" : 1 , "a" : 2 } ', {"b": 1, "a": 2}),
        (b'{"a":1}\r', {"a": 1}),
        (b'{"a":1e-06,"b":1E5}', {"a": 1e-06, "b": 1e5}),
        (b'{"a":18446744073709551615,"b":-9223372036854775808}', {"a": 2**64 - 1, "b": -(2**63)}),
        (b'{"a":"\\u00e9\\ud83d\\ude00"}', {"a": "é😀"}),
        (b'{"a":{"b":1},"b":{"b":1}}', {"a": {"b": 1}, "b": {"b": 1}}),
    ],
)
def test_a_line_that_others_wrote_is_read_too(raw: bytes, value: dict[str, Any]) -> None:
    """Spaces, another order of keys, escapes and exponents are JSON, and no problem."""
    assert parse_line(raw, 1) == Line(1, value)


@pytest.mark.parametrize("limit", [40, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_lines_are_cut_where_their_ends_are(tmp_path: Path, limit: int, name: str) -> None:
    """Whatever the sizes of lines and chunks: every line in its place, and only those over the limit refused."""
    sizes = [20, 40, 41, 20, CHUNK_BYTES - 9, CHUNK_BYTES, CHUNK_BYTES + 1, 20, 3 * CHUNK_BYTES, 20]
    raw = b"".join(b'{"a":"' + b"x" * (size - 8) + b'"}\n' for size in sizes)
    (tmp_path / name).write_bytes(gzip.compress(raw, 1) if name.endswith(".gz") else raw)
    digest = hashlib.sha256()
    lines = list(scan_jsonl(tmp_path / name, max_line_bytes=limit, digest=digest))
    assert [line.number for line in lines] == list(range(1, len(sizes) + 1))
    assert [line.value is not None for line in lines] == [size <= limit for size in sizes]
    assert [len(line.value["a"]) for line in lines if line.value] == [size - 8 for size in sizes if size <= limit]
    assert digest.hexdigest() == hashlib.sha256(raw).hexdigest()


@given(st.lists(st.sampled_from([b'{"a":1}', b"x", b"", b'{"long":"aaaaaaaaaaaaaaaaaaaaaa"}', b"\xff"]), max_size=8))
def test_the_scan_sees_as_many_lines_as_there_are(tmp_path_factory: pytest.TempPathFactory, raw: list[bytes]) -> None:
    """Problems neither swallow lines nor invent them."""
    path = tmp_path_factory.mktemp("scan") / "x.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in raw))
    assert [line.number for line in scan_jsonl(path, max_line_bytes=20)] == [n + 1 for n in range(len(raw))]


def test_half_a_line_is_no_record(tmp_path: Path) -> None:
    """A last line without its newline may be cut in the middle of a number, so it is refused even if it parses."""
    (tmp_path / "x.jsonl").write_bytes(b'{"a":1}\n{"a":12}')
    assert [(line.number, line.problem) for line in scan_jsonl(tmp_path / "x.jsonl")] == [
        (1, None),
        (2, "half a line, without its newline"),
    ]


def test_members_of_a_gzip_and_padding_follow_one_another(tmp_path: Path) -> None:
    """`cat a.gz b.gz` is one file, and a tape's zeros behind it are nothing."""
    packed = gzip.compress(b'{"a":1}\n{"b"') + gzip.compress(b":2}\n") + b"\0" * 512
    (tmp_path / "x.jsonl.gz").write_bytes(packed)
    assert read_jsonl(tmp_path / "x.jsonl.gz") == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (lambda packed: packed[:-4], "truncated gzip"),
        (lambda packed: packed[:25], "truncated gzip"),
        (lambda packed: packed[:-8] + b"\0\0\0\0" + packed[-4:], "damaged gzip"),
        (lambda packed: packed + b"rubbish", "damaged gzip"),
        (lambda packed: b"no gzip" + packed, "damaged gzip"),
    ],
    ids=["no length", "cut", "another checksum", "rubbish behind", "rubbish before"],
)
def test_a_broken_gzip_ends_the_scan_with_one_finding(tmp_path: Path, tamper: Any, what: str) -> None:
    """What was read before stays read; then one line says that the archive is broken."""
    (tmp_path / "x.jsonl.gz").write_bytes(tamper(gzip.compress(b'{"a":1}\n' * 3)))
    lines = list(scan_jsonl(tmp_path / "x.jsonl.gz"))
    assert all(line.value == {"a": 1} for line in lines[:-1])
    assert str(lines[-1].problem).startswith(what)


def test_a_line_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb that unpacks for hours is left after a while; the finding says that the rest was not read."""
    monkeypatch.setattr(jsonl, "MAX_SKIPPED_BYTES", 5 * CHUNK_BYTES)
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b"a" * 9 * CHUNK_BYTES + b"\n{}\n"))
    problems = [line.problem for line in scan_jsonl(tmp_path / "x.jsonl.gz", max_line_bytes=CHUNK_BYTES)]
    assert problems == ["a line of more than 1 MiB", "the same line has no end: what follows is not read"]


def test_reading_strictly_raises_with_the_line(tmp_path: Path) -> None:
    """Whoever needs all records gets the first problem with its place and remedy."""
    (tmp_path / "x.jsonl").write_bytes(b'{"a":1}\n{"a":1,"a":2}\n')
    with pytest.raises(DataError, match=r"x\.jsonl:2: the key 'a' is a duplicate; keep one of the two values$"):
        read_jsonl(tmp_path / "x.jsonl")
    with pytest.raises(DataError, match=r"none\.jsonl: no such file; check the path$"):
        read_jsonl(tmp_path / "none.jsonl")


def test_a_document_is_one_record_however_it_is_laid_out(tmp_path: Path) -> None:
    """A .json file may be indented; a bigger one than the limit is refused, an empty one holds nothing."""
    path = tmp_path / "x.json"
    path.write_bytes(b'{\n  "a": 1\n}\n')
    assert list(scan_document(path)) == [Line(1, {"a": 1})]
    assert [line.problem for line in scan_document(path, max_bytes=4)] == ["a document of more than 3.8147e-06 MiB"]
    path.write_bytes(b"\n")
    assert list(scan_document(path)) == []
