"""The registry of record schemas: one current version of each kind, and every older one that is still read.

Schemas are JSON Schema Draft 2020-12. jsonschema-rs validates, for speed; jsonschema is its oracle in the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import jsonschema_rs

from exaid_evals.config.campaign import schemas_dir
from exaid_evals.errors import DataError, SchemaVersionError

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")
_PREFIX = "exaid."
_SUFFIX = ".schema.json"

# (schema name, version, record type or None) → validator of a record, and of a list of such records. The values
# looked up are whatever a record holds there.
_compiled_types: dict[Any, jsonschema_rs.Draft202012Validator] = {}
_compiled_lists: dict[Any, jsonschema_rs.Draft202012Validator] = {}


@cache
def current_versions() -> dict[str, str]:
    """Return schema name (`exaid.trace`) → the version that this release writes."""
    schemas = {
        path: json.loads(path.read_text(encoding="utf-8")) for path in schemas_dir().glob(f"{_PREFIX}*{_SUFFIX}")
    }
    return {
        path.name.removesuffix(_SUFFIX): str(schemas[path]["properties"]["schema_version"]["const"])
        for path in sorted(schemas)
    }


@cache
def known_versions(schema_name: str) -> tuple[str, ...]:
    """Return every version of a schema that this release reads, oldest first."""
    kind = schema_name.removeprefix(_PREFIX)
    archived = [path.stem for path in (schemas_dir() / "archive" / kind).glob("*.json")]
    return tuple(sorted([*archived, current_versions()[schema_name]], key=version_key))


_AS_PUBLISHED = {"exaid.manifest": "1.1.0"}
"""Kinds whose newest version is written only where the published one does not do."""


def ordinary_version(schema_name: str) -> str:
    """Return the version that records of a kind have where nothing asks for a newer one; `migrate` leads there."""
    return _AS_PUBLISHED.get(schema_name, current_versions()[schema_name])


def version_key(version: str) -> tuple[int, ...]:
    """Return a version's parts as numbers, for ordering; `()` for what is not a version."""
    return tuple(int(part) for part in version.split(".")) if _VERSION.fullmatch(version) else ()


def header(schema_name: str, version: str | None = None) -> dict[str, str]:
    """Return the two fields that open every record this release writes, of the ordinary version if of no other."""
    return {"schema_name": schema_name, "schema_version": version or ordinary_version(schema_name)}


def schema_path(schema_name: str, version: str) -> Path:
    """Return the file of a schema's version."""
    if version == current_versions()[schema_name]:
        return schemas_dir() / f"{schema_name}{_SUFFIX}"
    return schemas_dir() / "archive" / schema_name.removeprefix(_PREFIX) / f"{version}.json"


@cache
def load_schema(schema_name: str, version: str) -> Mapping[str, Any]:
    """Return a schema as data."""
    return dict(json.loads(schema_path(schema_name, version).read_text(encoding="utf-8")))


def identify(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the schema name and version that a record declares.

    Raises:
        SchemaVersionError: it declares none, an unknown one, or one newer than this release.
    """
    name, version = record.get("schema_name"), record.get("schema_version")
    if not isinstance(name, str) or not isinstance(version, str):
        raise SchemaVersionError("no schema_name and schema_version", remedy="add both; see evals/README.md, Records")
    if name not in current_versions():
        known = ", ".join(current_versions())
        raise SchemaVersionError(f"unknown schema {name!r:.80}", remedy=f"known are {known}")
    versions = known_versions(name)
    if version not in versions:
        if version_key(version) > version_key(versions[-1]):
            raise SchemaVersionError(
                f"{name} {version:.40} is newer than this release reads ({versions[-1]})", remedy="upgrade exaid-evals"
            )
        known = ", ".join(versions)
        raise SchemaVersionError(f"unknown version {version!r:.40} of {name}", remedy=f"known are {known}")
    return name, version


@cache
def validator(schema_name: str, version: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled validator of a schema's version."""
    return _compiled(dict(load_schema(schema_name, version)))


def compiled_for(record: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled validator of the schema that a record declares.

    A schema of several record types says "if the type is this, then that". Read literally, each record meets every
    type's condition and the search for properties that no branch allows; so each type gets a validator of its own,
    which accepts the same records (a property test holds it against the oracle), is thrice as fast, and names
    the one field that is wrong where the literal reading adds that every other field is unexpected.

    Raises:
        SchemaVersionError: the record declares no schema that this release reads.
    """
    return _looked_up(record, _compiled_types, dict)


def all_valid(records: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether records are valid, all of which declare the schema, version and type that the first does.

    Asked at once, because each call costs about as much as a short record does.

    Raises:
        SchemaVersionError: they declare no schema that this release reads.
    """
    return _looked_up(records[0], _compiled_lists, _list_of).is_valid(records)


def all_of(records: Iterable[Mapping[str, Any]], schema: str) -> bool:
    """Return whether records are valid and declare a schema by name; what is wrong with one, `require_valid` says."""

    def declared(record: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        return record.get("schema_name"), record.get("schema_version"), record.get("record_type")

    try:
        return all(name == schema and all_valid(list(alike)) for (name, *_), alike in groupby(records, declared))
    except (SchemaVersionError, TypeError, ValueError):  # what is not JSON never reaches the schema
        return False


def _looked_up(
    record: Mapping[str, Any],
    compiled: dict[Any, jsonschema_rs.Draft202012Validator],
    form: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> jsonschema_rs.Draft202012Validator:
    try:
        return compiled[record.get("schema_name"), record.get("schema_version"), record.get("record_type")]
    except (KeyError, TypeError):  # not met before, or no text at all
        pass
    name, version = identify(record)
    schema, record_type = load_schema(name, version), record.get("record_type")
    types = _record_types(schema)
    if not (isinstance(record_type, str) and record_type in types):
        record_type = None
    key = name, version, record_type
    if key not in compiled:
        compiled[key] = _compiled(form(schema if record_type is None else types[record_type]))
    return compiled[key]


def _list_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    one = {name: value for name, value in schema.items() if name not in ("$schema", "$id", "$defs")}
    return {"$schema": schema["$schema"], "$defs": schema.get("$defs", {}), "type": "array", "items": one}


def violations(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield `(field, what is wrong)` for each way in which a record breaks the schema that it declares.

    Raises:
        SchemaVersionError: the record declares no schema that this release reads.
    """
    compiled = compiled_for(record)
    if compiled.is_valid(record):
        return
    for error in compiled.iter_errors(record):
        yield ".".join(str(part) for part in error.instance_path), _shortened(error.message)


def _compiled(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _record_types(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return record type → the schema of that type alone; empty for a schema of one type."""
    found = {}
    for branch in schema.get("allOf", ()):
        then = branch["then"]
        found[branch["if"]["properties"]["record_type"]["const"]] = {
            "$schema": schema["$schema"],
            "$defs": schema.get("$defs", {}),
            "type": "object",
            "required": schema["required"] + then["required"],
            "properties": schema["properties"] | then["properties"],
            "dependentRequired": then.get("dependentRequired", {}),
            "additionalProperties": False,
        }
    return found


def require_valid(record: Mapping[str, Any], where: str, schema: str = "") -> None:
    """Check one record.

    Args:
        record: of any kind.
        where: it stands.
        schema: name of the schema that it must declare; by default any.

    Raises:
        DataError: names the first field that breaks the schema, or the schema that is another one.
    """
    try:
        if schema and (name := identify(record)[0]) != schema:
            what = f"a record of {name} where one of {schema} must stand"
            raise DataError(what, where=where, remedy="restore it, or name another")
        for field, message in violations(record):
            what = f"{field}: {message}" if field else message
            raise DataError(
                what, where=where, remedy="correct the record, or run `exaid-evals validate` for all problems"
            )
    except SchemaVersionError as error:
        raise SchemaVersionError(error.what, where=where, remedy=error.remedy) from None


def _shortened(message: str, limit: int = 200) -> str:
    return message if len(message) <= limit else f"{message[: limit // 2]} … {message[-limit // 2 :]}"
