"""What is kept of a campaign to compare another one with (`exaid.expected`): hashes, and short values as they are.

Two files: `campaign.jsonl`, plain, a record about the campaign and one with the content hash of each of its files;
and `fields.jsonl.gz`, a record a file with the fields of its records, so that a difference can be named down to the
field. Values of up to 32 characters are kept as they are, of longer ones only the hash is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.config.plugins import requirements
from exaid_evals.errors import DataError
from exaid_evals.verification.compare import hash_digits
from exaid_evals.verification.configuration import Configuration
from exaid_evals.verification.sides import STAGES, FolderSide, Hashed, Part, Stage, has_parts, stage_of


def installed_versions(names: list[str] | None = None) -> dict[str, str]:
    """Return distribution → installed version, of those that are installed; by default of all direct requirements."""
    versions = {}
    direct = {requirement.name.lower() for requirement, extra in requirements() if not extra}
    for name in sorted(direct) if names is None else names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def versions_that_differ(expected: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (distribution, expected version, installed version) of each that differs; empty where it is absent."""
    installed = installed_versions(list(expected))
    return [
        (name, version, installed.get(name, "")) for name, version in expected.items() if installed.get(name) != version
    ]


SCHEMA = "exaid.expected"
_REMEDY = "restore the folder, or make it again with `exaid-evals verify --write-expected`"
CAMPAIGN_FILE = "campaign.jsonl"
FIELDS_FILE = "fields.jsonl.gz"
_LONGEST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Expected:
    """What is kept of a campaign.

    Attributes:
        folder: where it is kept.
        cases: the ordered case list.
        case_source: where the cases came from.
        seed: of the stub generator.
        variants: that were run.
        configuration: of the stages.
        packages: distribution → version, of those that the results may depend on.
        hashes: path → content hash.
        fields_sha256: hash of the records of the fields.
    """

    folder: Path
    cases: tuple[str, ...]
    case_source: str
    seed: int
    variants: tuple[str, ...]
    configuration: Configuration
    packages: Mapping[str, str]
    hashes: Mapping[str, str]
    fields_sha256: str

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages whose files are kept."""
        numbers = {_number(path) for path in self.hashes}
        return tuple(stage for stage in STAGES if stage.number in numbers)


class ExpectedSide:
    """What is kept of a campaign, as one side of a comparison; only the files of the chosen stages count."""

    label = "expected"

    def __init__(self, expected: Expected, stages: Iterable[Stage]) -> None:
        chosen = {stage.number for stage in stages}
        self._expected = expected
        self._files = {path: digest for path, digest in expected.hashes.items() if _number(path) in chosen}
        self._fields: dict[str, list[Part]] | None = None

    def files(self) -> Mapping[str, str]:
        """Return the kept hashes."""
        return self._files

    def parts(self, path: str) -> Sequence[Part]:
        """Return a file's records, with a hash in place of every long value."""
        if self._fields is None:  # read once, and only where something differs
            self._fields = _read_fields(self._expected.folder / FIELDS_FILE, self._expected.fields_sha256)
        return self._fields.get(path, [])


def is_expected(folder: Path) -> bool:
    """Return whether a folder holds what is kept of a campaign, rather than a campaign."""
    return (folder / CAMPAIGN_FILE).is_file()


def write_expected(folder: Path, campaign: FolderSide, **about: Any) -> int:
    """Keep a campaign; return the number of its files.

    Args:
        folder: takes both files.
        campaign: what to keep.
        about: the fields of the campaign's record: its cases, their source, seed, variants, configuration, packages.

    Raises:
        DataError: a field is missing, or not as the schema wants it.
    """
    hashes = campaign.files()
    kept = {path: campaign.parts(path) for path in hashes if has_parts(path)}
    fields = [{**_record("fields"), "path": path, **_packed(kept[path])} for path in sorted(kept)]
    first = {**_record("campaign"), **about, "n_files": len(hashes), "fields_sha256": sha256_structure(fields)}
    require_valid(first, CAMPAIGN_FILE, SCHEMA)
    files = [
        {
            **_record("file"),
            "path": path,
            "stage": _number(path),
            "sha256": hashes[path],
            "n_records": len(kept.get(path, ())),
        }
        for path in sorted(hashes)
    ]
    write_jsonl(folder / FIELDS_FILE, fields)
    write_jsonl(folder / CAMPAIGN_FILE, [first, *files])
    return len(hashes)


def _record(record_type: str) -> dict[str, str]:
    return {**header(SCHEMA), "record_type": record_type}


def read_expected(folder: Path) -> Expected:
    """Read what is kept of a campaign.

    Raises:
        DataError: it is not there, or damaged.
    """
    path = folder / CAMPAIGN_FILE
    if not path.is_file():
        raise DataError("nothing is kept here to compare with", where=str(folder), remedy=_REMEDY)
    records = read_jsonl(path)
    for number, record in enumerate(records, start=1):
        require_valid(record, f"{path}:{number}", SCHEMA)
    if not records or records[0]["record_type"] != "campaign" or len(records) - 1 != records[0]["n_files"]:
        raise DataError("must open with its campaign, and hold a record a file", where=str(path), remedy=_REMEDY)
    about, *files = records
    for number, record in enumerate(files, start=2):
        if record["record_type"] != "file" or "/" not in record["path"] or not stage_of(record["path"]):
            raise DataError("names no file of a campaign", where=f"{path}:{number}", remedy=_REMEDY)
    return Expected(
        folder=folder,
        cases=tuple(about["cases"]),
        case_source=about["case_source"],
        seed=about["seed"],
        variants=tuple(about["variants"]),
        configuration=about["configuration"],
        packages=about["packages"],
        hashes={record["path"]: record["sha256"] for record in files},
        fields_sha256=about["fields_sha256"],
    )


def _number(path: str) -> str:
    stage = stage_of(path)
    return stage.number if stage else ""


def _packed(parts: Sequence[Part]) -> dict[str, Any]:
    """Return records as three lists of one length: their names, their short values, and hashes of the long ones."""
    values, hashes = [], []
    for part in parts:
        short = {name: value for name, value in part.fields.items() if len(canonical_json(value)) <= _LONGEST_KEPT}
        values.append(short)
        hashes.append({name: hash_digits(value) for name, value in part.fields.items() if name not in short})
    return {"names": [part.name for part in parts], "values": values, "hashes": hashes}


def _read_fields(path: Path, sha256: str) -> dict[str, list[Part]]:
    fields = {}
    records = read_jsonl(path)
    if sha256_structure(records) != sha256:
        raise DataError(f"is not what {CAMPAIGN_FILE} was written with", where=str(path), remedy=_REMEDY)
    for number, record in enumerate(records, start=1):
        require_valid(record, f"{path}:{number}", SCHEMA)
        rows = zip(record["names"], record["values"], record["hashes"], strict=True)
        fields[record["path"]] = [
            Part(name, {**values, **{field: Hashed(digits) for field, digits in hashes.items()}})
            for name, values, hashes in rows
        ]
    return fields
