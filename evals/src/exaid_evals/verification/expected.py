"""What is kept of a campaign to compare another one with (`exaid.expected`): hashes, and short values as they are.

Two files: `campaign.jsonl`, plain, a record about the campaign and one with the content hash of each of its files;
and `fields.jsonl.gz`, a record a file with the fields of its records, so that a difference can be named down to the
field. Values of up to 32 characters are kept as they are, of longer ones only the hash is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes, canonical_json
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.jsonl import parse_line, read_jsonl, write_jsonl
from exaid_evals.artifacts.redaction import printable
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.plugins import requirements
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular
from exaid_evals.verification.compare import ABSENT, both_shown, hash_digits, same
from exaid_evals.verification.sides import STAGES, FolderSide, Hashed, Part, Stage, flattened, has_parts, stage_of

StageConfiguration = dict[str, Any]
"""File name in the folder of configurations → what was resolved from it: a mapping, or the sorted stop entities."""

Configuration = dict[str, StageConfiguration]
"""Number of a stage → its configuration."""

_FILE = "configuration.json"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that differs.

    Attributes:
        stage: number of the first stage that reads it.
        file: in the folder of configurations.
        key: dotted; empty for an entry of a list of words.
        expected, found: as messages show them.
    """

    stage: str
    file: str
    key: str
    expected: str
    found: str


def note_configuration(campaign: Campaign, stage: str, files: StageConfiguration) -> None:
    """Keep what a stage has resolved beside the ledgers, so that `verify` can later name a setting that changed.

    What a stage knew of a file that it does not name now, such as the variants of an earlier call, is kept.
    """
    known = noted_configuration(campaign)
    merged = {**known, stage: {**known.get(stage, {}), **files}}
    if merged != known:
        write_bytes(campaign.state / _FILE, canonical_bytes(merged) + b"\n")


def noted_configuration(campaign: Campaign) -> Configuration:
    """Return what the stages have kept; empty where nothing was, or the file is damaged, for it is not a result."""
    try:
        noted = parse_line(read_regular(campaign.state / _FILE, 16 << 20).strip(), 1).value
    except DataError:
        return {}
    if noted is None or not all(isinstance(files, dict) for files in noted.values()):
        return {}
    return noted


def noted_variant(campaign: Campaign, name: str, lacking: str) -> bytes | None:
    """Return a variant's file as `run-variants` noted it; None where it did not.

    Args:
        campaign: whose notes are read.
        name: of the variant.
        lacking: the folder in which its file was looked for, for messages.

    Raises:
        ConfigError: by the note, a module makes a part of it: a campaign of others must not choose which code runs.
    """
    note = noted_configuration(campaign).get("02", {}).get(f"variants/{name}.yaml")
    if note is None:
        return None
    parts = note.values() if isinstance(note, dict) else ()
    kinds = [part.get("kind") for part in parts if isinstance(part, dict)]
    if modules := [printable(kind) for kind in kinds if isinstance(kind, str) and ":" in kind]:
        raise ConfigError(
            f"{name}: no {name}.yaml in {lacking}, and by the campaign's own note it is made by {', '.join(modules)}, "
            "which a note cannot choose to run",
            where="--variants-dir",
            remedy="name the folder that holds its file",
        )
    return canonical_bytes(note)  # JSON is YAML


def settings_that_differ(expected: Configuration, found: Configuration) -> list[Setting]:
    """Return every setting in which two configurations differ, by the first stage that reads it.

    Only stages and variants that both know are compared: a campaign of two variants is no other configuration.
    """
    settings: dict[tuple[str, str, str], Setting] = {}
    for stage in sorted(expected.keys() & found.keys()):
        for file in sorted(expected[stage].keys() & found[stage].keys()):
            # As files have them: numbers rounded, tuples as lists.
            left, right = (json.loads(canonical_bytes(side[stage][file])) for side in (expected, found))
            for key, one, other in _differences(left, right):
                settings.setdefault((file, key, one), Setting(stage, file, key, one, other))
    return list(settings.values())


def _differences(left: Any, right: Any) -> Iterator[tuple[str, str, str]]:
    words = (*left, *right) if isinstance(left, list) and isinstance(right, list) else (None,)
    if all(isinstance(word, str) for word in words):
        for word in sorted(set(left) - set(right)):
            yield "", f"{word!r}", "nothing"
        for word in sorted(set(right) - set(left)):
            yield "", "nothing", f"{word!r}"
        return
    one, other = flattened(left), flattened(right)
    for key in [*one, *(key for key in other if key not in one)]:
        before, after = one.get(key, ABSENT), other.get(key, ABSENT)
        if isinstance(before, list) and isinstance(after, list):
            for at, (old, new) in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
                if not same(old, new):
                    yield both_shown(f"{key}[{at}]", old, new)
        elif not same(before, after):
            yield both_shown(key, before, after)


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
