"""The schema registry: valid schemas, all versions, and the fast validator held against jsonschema as its oracle."""

from __future__ import annotations

import datetime
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings

from exaid_evals.artifacts.schemas import (
    all_of,
    compiled_for,
    current_versions,
    header,
    identify,
    known_versions,
    load_schema,
    require_valid,
    schema_path,
    validator,
    version_key,
    violations,
)
from exaid_evals.errors import DataError, SchemaVersionError
from factories import opening, run_records, trace_records
from strategies import VALID, broken_records

EVERY_VERSION = [(name, version) for name in current_versions() for version in known_versions(name)]


def test_every_kind_has_a_schema() -> None:
    """The records of DESIGN.md section 5 each have a schema; so have cases, calls, analyses, and what is expected."""
    kinds = (
        *("analysis", "case", "cassette", "corrected", "expected", "export"),
        *("image_audit", "impact", "log_comparison", "mac_cassette", "manifest", "metrics", "recovery", "run"),
        *("run_comparison", "trace"),
    )
    assert list(current_versions()) == [f"exaid.{kind}" for kind in kinds]


@pytest.mark.parametrize(("name", "version"), EVERY_VERSION)
def test_every_version_is_a_valid_schema_under_its_own_name(name: str, version: str) -> None:
    """Each file, archived or current, passes the meta-schema, and says itself which kind and version it is of."""
    schema = load_schema(name, version)
    jsonschema.Draft202012Validator.check_schema(dict(schema))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:exaid:schema:{name.removeprefix('exaid.')}:{version}"
    assert schema["properties"]["schema_name"]["const"] == name
    assert schema["properties"]["schema_version"]["const"] == version


def test_archive_versions_are_older_than_the_current() -> None:
    """`known_versions` ends with what this release writes."""
    assert known_versions("exaid.trace") == ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    assert {name: known_versions(name)[-1] for name in current_versions()} == current_versions()
    assert schema_path("exaid.trace", "1.0.0").parent.name == "trace"


@pytest.mark.parametrize("record", VALID, ids=lambda record: f"{record['schema_name']}-{record.get('record_type', '')}")
def test_the_factories_records_are_valid(record: dict[str, Any]) -> None:
    """What the tests call valid has no violation in any kind, version or record type."""
    assert list(violations(record)) == []


def _is_date_time(value: object) -> bool:
    """RFC 3339, section 5.6, as an oracle that shares nothing with the validator's own check."""
    if not isinstance(value, str):
        return True
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value, re.ASCII)
    if found is None:
        return False
    try:
        datetime.date.fromisoformat(found[1])
    except ValueError:
        return False
    return int(found[2]) < 24 and int(found[3]) < 60 and int(found[4]) < 60


def _oracle(schema: Any) -> Any:
    """Return jsonschema's validator, with ECMA's `$`: Python's also matches before a line end at the end."""

    def pattern(_validator: Any, wanted: str, instance: Any, _schema: Any) -> Any:
        if isinstance(instance, str) and not re.search(wanted.replace("$", r"\Z"), instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {wanted!r}")

    formats = jsonschema.FormatChecker(formats=())
    formats.checks("date-time")(_is_date_time)
    kind = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})
    return kind(schema, format_checker=formats)


ORACLES = {key: _oracle(load_schema(*key)) for key in EVERY_VERSION}


@settings(max_examples=max(400, settings.default.max_examples))
@given(broken_records())
@example(run_records(trace_records())[0] | {"record_type": None})
@example(run_records(trace_records())[1] | {"record_type": "run_meta"})
@example(trace_records()[0] | {"record_type": "summary"})
@example(trace_records()[0] | {"case_id": "case-1\n"})
@example(trace_records()[0] | {"timestamp": "2024-13-01T00:00:00Z"})
@example(trace_records()[0] | {"timestamp": "2024-12-01T24:00:00Z"})
@example(trace_records()[0] | {"timestamp": "yesterdayZ"})
def test_the_fast_validator_agrees_with_jsonschema(record: dict[str, Any]) -> None:
    """On valid and broken records of every kind, the compiled validators accept exactly what jsonschema accepts.

    This holds for the published schema and for the record type's own validator that is made of it.
    """
    key = identify(record)
    expected = ORACLES[key].is_valid(record)
    assert (validator(*key).is_valid(record), compiled_for(record).is_valid(record)) == (expected, expected)
    assert (not list(violations(record))) == expected


def test_a_wrong_field_is_named_alone() -> None:
    """One wrong field of a typed record is one violation, not a list of every field that no branch expected."""
    flush = run_records(trace_records())[1] | {"reason": "Bored!"}
    assert [where for where, _ in violations(flush)] == ["reason"]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({}, "no schema_name and schema_version"),
        ({"schema_name": "exaid.trace"}, "no schema_name and schema_version"),
        ({"schema_name": ["exaid.trace"], "schema_version": "1.0.0"}, "no schema_name and schema_version"),
        ({"schema_name": "exaid.dream", "schema_version": "1.0.0"}, "unknown schema 'exaid.dream'"),
        (
            {"schema_name": "exaid.trace", "schema_version": "1.4.0"},
            "exaid.trace 1.4.0 is newer than this release reads (1.3.0)",
        ),
        ({"schema_name": "exaid.trace", "schema_version": "0.9.0"}, "unknown version '0.9.0' of exaid.trace"),
        ({"schema_name": "exaid.trace", "schema_version": "one"}, "unknown version 'one' of exaid.trace"),
        (
            {"schema_name": "exaid.trace", "schema_version": "9" * 5000},
            f"unknown version '{'9' * 39} of exaid.trace",
        ),
    ],
    ids=["nothing", "no version", "list", "unknown", "newer", "older", "no number", "5000 digits"],
)
def test_undeclared_unknown_and_newer_schemas_are_refused_by_name(record: dict[str, Any], what: str) -> None:
    """A reader never guesses: what it does not know is named, and newer is distinguished from unknown."""
    with pytest.raises(SchemaVersionError) as caught:
        compiled_for(record)
    assert caught.value.what == what


def test_versions_are_ordered_as_numbers() -> None:
    """1.10.0 is newer than 1.9.0, and what is not a version is older than any."""
    assert sorted(["1.10.0", "1.9.0", "x"], key=version_key) == ["x", "1.9.0", "1.10.0"]


def test_require_valid_says_field_and_place() -> None:
    """The first violation becomes an error with the place that the caller gives."""
    record = trace_records()[0]
    require_valid(record, "here:1")
    with pytest.raises(DataError, match=r"^here:1: sequence_num: -1 is less than"):
        require_valid(record | {"sequence_num": -1}, "here:1")
    with pytest.raises(SchemaVersionError, match=r"^here:2: unknown schema"):
        require_valid({"schema_name": "x", "schema_version": "1.0.0"}, "here:2")


def test_records_asked_about_at_once_are_valid_where_each_is() -> None:
    """Records of several kinds are valid together when none lacks a field and all declare the schema that they must."""
    records = run_records(trace_records("case-1"))
    assert all_of(records, "exaid.run")
    assert not all_of(records, "exaid.trace")
    for place, record in enumerate(records):
        broken = {name: value for name, value in record.items() if name != "variant_id"} | {"unknown": 1}
        assert not all_of([*records[:place], broken, *records[place + 1 :]], "exaid.run")
    assert not all_of([*records, {"schema_name": "exaid.run", "schema_version": "99.0.0"}], "exaid.run")


def test_the_header_is_what_records_open_with() -> None:
    """Writers get the name and the current version."""
    assert header("exaid.run") == {"schema_name": "exaid.run", "schema_version": "1.1.0"} == opening("exaid.run")
