"""Hostile and damaged files: refused by name and line, in bounded time, and never with a traceback."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.traces.importers import source as source_module
from exaid_evals.traces.importers.base import IMPORTERS, Spot, importer_named
from exaid_evals.traces.importers.source import Source, parse_json
from traces.importers.reading import read, said, write

_CSV = "case_id,agent,content\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.json", "", "no conversation of a known format", id="empty"),
        pytest.param("a.csv", "case,who,said\n1,a,b\n", "no CSV with case_id, agent, content", id="other columns"),
        pytest.param("a.json", '[{"task": "x", "raw": "y"}]', "no messages with `role` and `content`", id="other keys"),
        pytest.param("a.txt", "Dear colleague,", "no conversation of a known format", id="prose"),
        pytest.param("a.json", '[{"role": "user",\n "content": }]', r"a\.json:2: not valid JSON", id="broken document"),
        pytest.param("a.jsonl", '{"role": "user", "content": "x"}\n{"ro', r"a\.jsonl:2: not valid JSON", id="cut line"),
        pytest.param(
            "a.jsonl", '{"role": "user", "content": "x", "role": "tool"}', "'role' is a duplicate", id="key twice"
        ),
        pytest.param("a.jsonl", '{"role": "user", "content": NaN}', "NaN is not JSON", id="NaN"),
        pytest.param("a.jsonl", '{"n": ' + "9" * 5000 + "}", "not valid JSON", id="huge integer"),
        pytest.param("a.json", "[" * 100_000, "nested too deeply", id="deep"),
        pytest.param("a.json", b'[{"role": "user", "content": "\xff"}]', r"a\.json:1: invalid UTF-8", id="Latin-1"),
        pytest.param("a.csv", b"\xff\xfe" + _CSV.encode("utf-16-le"), "is UTF-16.*save it as UTF-8", id="UTF-16"),
        pytest.param("a.jsonl.gz", gzip.compress(b"{}\n" * 99)[:-9], "truncated gzip", id="cut gzip"),
        pytest.param("a.csv", _CSV + 'a,b,"open', r"a\.csv:2: no table", id="open quote"),
        pytest.param("a.csv", _CSV + "a,b,c,d\n", "4 cells under 3 columns", id="cells"),
        pytest.param(
            "a.csv", _CSV.replace(",content", ",content,content") + "a,b,c,d\n", "is a duplicate", id="column twice"
        ),
        pytest.param("a.csv", _CSV + "../../etc/passwd,b,c\n", "makes no case id", id="path"),
        pytest.param("a.csv", _CSV + "=cmd|' /C calc'!A0,b,c\n", "makes no case id", id="formula as id"),
        pytest.param("a.jsonl", '{"role": "user", "content": "\\ud800"}', "half a surrogate pair", id="surrogate"),
        pytest.param(
            "a.json", '{"messages": [], "chat_history": 3}', "no conversation of a known format", id="no list"
        ),
    ],
)
def test_damage_is_named(name: str, content: str | bytes, expected: str, tmp_path: Path) -> None:
    """Each kind of damage has its own words, and the place."""
    with pytest.raises(DataError, match=expected):
        read(write(tmp_path / name, content))


def test_damage_is_never_skipped(tmp_path: Path) -> None:
    """`--skip-unmapped` leaves out what does not map; a table that is broken stays refused."""
    with pytest.raises(DataError, match="damage is not skipped"):
        read(write(tmp_path / "a.csv", _CSV + "a,b,c\na,b\n"), skip=True)


def test_every_unreadable_file_is_named(tmp_path: Path) -> None:
    """One call tells of all of them."""
    with pytest.raises(DataError, match=r"2 problems[\s\S]*a\.json[\s\S]*b\.json"):
        read(write(tmp_path / "a.json", "["), write(tmp_path / "b.json", "{"))


def test_too_large_a_file_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for what a gzip unpacks to: a bomb stops at it."""
    monkeypatch.setattr(source_module, "MAX_FILE_BYTES", 1 << 20)
    bomb = write(tmp_path / "a.json.gz", gzip.compress(b" " * (1 << 23)))
    with pytest.raises(DataError, match=r"a file of more than 1 MiB; split it"):
        read(bomb)


def test_a_case_stands_once(tmp_path: Path) -> None:
    """The same case in two files, in two lines, or under two spellings is damage, and both places are named."""
    one = write(tmp_path / "one.csv", _CSV + "PMC1,House,Fever.\n")
    two = write(
        tmp_path / "two.jsonl", '\n{"id": "pmc1", "messages": [{"role": "user", "name": "House", "content": "x"}]}'
    )
    with pytest.raises(DataError, match=r"two\.jsonl:1?2?: .*case-pmc1 stands in .*one\.csv already"):
        read(one, two, skip=True)


def test_time_that_runs_back_is_damage(tmp_path: Path) -> None:
    """Messages are not put into another order, and times not dropped in silence."""
    text = "case_id,agent,content,t_ms\na,b,c,10\na,b,d,30\na,b,e,20\n"
    with pytest.raises(DataError, match=r"a\.csv:4: time runs back, by 10 ms"):
        read(write(tmp_path / "a.csv", text), skip=True)


def test_times_in_another_unit_are_noticed(tmp_path: Path) -> None:
    """Microseconds that pose as milliseconds make a conversation of weeks."""
    text = "case_id,agent,content,t_ms\na,b,c,0\na,b,d,1734609600000\n"
    with pytest.raises(DataError, match=r"a\.csv:3: said more than 1000000000 ms after"):
        read(write(tmp_path / "a.csv", text), skip=True)


@pytest.mark.parametrize("value", ["yesterday", "2025-01-31T09:00:00", "-1", "9" * 30, "1e3"])
def test_times_are_not_guessed(value: str, tmp_path: Path) -> None:
    """A time without an offset, or that is not a time, is refused."""
    column = "timestamp" if "-0" in value or "y" in value else "t_ms"
    with pytest.raises(DataError, match=f"a.csv:2: {column}: .* is not a time"):
        read(write(tmp_path / "a.csv", f"case_id,agent,content,{column}\na,b,c,{value}\n"))


def test_nothing_left_is_nothing_imported(tmp_path: Path) -> None:
    """When all is left out, no empty campaign is made."""
    with pytest.raises(DataError, match="no message is left to import"):
        read(write(tmp_path / "a.jsonl", '{"role": "system", "content": "x"}'), skip=True)


def test_long_reports_are_cut_and_counted(tmp_path: Path) -> None:
    """A file of a thousand problems does not fill the screen."""
    path = write(tmp_path / "a.csv", _CSV + "a,House,Fever.\n" + "a,House,\n" * 1000)
    with pytest.raises(DataError, match=r"1000 problems[\s\S]*… and 950 more"):
        read(path)


def test_names_cannot_command_a_terminal(tmp_path: Path) -> None:
    """Foreign names are shown escaped, in errors and in the manifest's note."""
    path = write(tmp_path / "a.csv", _CSV + "a,\x1b[2JHouse,Fever.\n")
    assert "\x1b" not in read(path).note
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "b.jsonl", json.dumps({"role": "\x1b[2J", "content": "x", "\x1b": 1})))
    assert "\x1b" not in str(caught.value)


_KEYS = """
role name content messages type data kwargs id lc chat_history tool_calls usage values text t_ms created_at case_id
resourceSpans scopeSpans spans attributes events key value stringValue arrayValue kvlistValue intValue
gen_ai.output.messages gen_ai.input.messages parts traceId spanId endTimeUnixNano
""".split()  # noqa: SIM905 - a list of so many words is no easier to read
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", IMPORTERS)
@settings(max_examples=30)
@given(value=_JSON)
def test_any_json_is_read_or_refused(name: str, value: Any, tmp_path: Path) -> None:
    """Whatever JSON an importer is told to read, it answers with a reading or one of our errors."""
    source = Source(write(tmp_path / "a.json", value))
    importer = importer_named(name)
    importer.claims(source)
    with contextlib.suppress(ExaidError):
        importer.read(source)
    with contextlib.suppress(ExaidError):
        read(source.path, skip=True)


def _ways(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(found for key, item in inner for found in _ways(item, (*way, key)))]


@settings(max_examples=40)
@given(
    value=st.dictionaries(st.text(max_size=4), _JSON, max_size=4) | st.lists(_JSON, max_size=4),
    indent=st.none() | st.just(1),
)
def test_lines_are_those_of_the_document(value: Any, indent: int | None, tmp_path: Path) -> None:
    """The line of each value is the one on which a slow reading of the dumped text finds it."""
    text = json.dumps(value, indent=indent)
    assert parse_json(text) == value
    ways = _ways(value)
    lines = Source(write(tmp_path / "a.json", text)).lines_of([*ways, (*ways[-1], "missing")])
    # With an indent, each value begins a line, and `_ways` lists them in the order of the text.
    closing = {"]", "}", "],", "},"}
    starts = [number for number, line in enumerate(text.split("\n"), start=1) if line.strip() not in closing]
    assert [lines[way] for way in ways] == (starts if indent else [1] * len(ways))
    assert lines[*ways[-1], "missing"] == lines[ways[-1]]


def test_fields_are_shown_as_one_would_write_them() -> None:
    """Keys that are not names are quoted, so that a field cannot pose as another."""
    assert Spot(1).below("messages", 0, "a.b[1]", "c\nd").field == "messages[0].'a.b[1]'.'c\\nd'"


def test_a_table_keeps_what_looks_like_json(tmp_path: Path) -> None:
    """Content is text, whatever it holds."""
    assert said(read(write(tmp_path / "a.csv", _CSV + 'a,House,"{""x"": 1}"\n'))) == {
        "case-a": [("supervisor", '{"x": 1}')]
    }
