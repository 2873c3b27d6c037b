"""Records, files, manifests, parts and configurations."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from conversations import conversation
from exaid_evals.artifacts import hashing, ids, jsonl, ledger, manifest, schemas, storage
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.request import Shard
from exaid_evals.files import inside, open_regular, read_regular
from exaid_evals.traces.freeze import freeze_traces, verify_frozen
from exaid_evals.traces.model import Trace
from factories import manifest_record, trace_records
from remedies.rows import Row, file


def png() -> bytes:
    """Return a picture of one pixel."""
    stream = io.BytesIO()
    Image.new("RGB", (1, 1)).save(stream, "PNG")
    return stream.getvalue()


PNG = png()
LINES = partial(jsonl.read_jsonl, Path("a.jsonl"))
GOOD = '{"a":1}\n'
PACKED = gzip.compress(b'{"a":1}\n' * 900, mtime=0)
KNOWN = ["case-100"]
NAMED = {"schema_name": "exaid.trace", "schema_version": "1.0.0"}
TRACE = conversation("Fever.")
WRONG = replace(TRACE, messages=(replace(TRACE.messages[0], content="\ud800"),))
MANIFEST = manifest_record({"case-1000": trace_records()})


def line(remedy: str, wrong: str | bytes) -> Row:
    """Return the row of a file of records with a fault in a line."""
    return file(remedy, LINES, "a.jsonl", wrong, GOOD)


def record_of(**changes: Any) -> str:
    """Return the line of a manifest."""
    return json.dumps(MANIFEST | changes) + "\n"


def frozen(remedy: str, wrong: str | None, right: str | None = record_of()) -> Row:
    """Return the row of a manifest."""
    reads = partial(manifest.read_manifest, Path("manifest.jsonl"))
    return Row(remedy, reads, files={} if wrong is None else {"manifest.jsonl": wrong}, then={"manifest.jsonl": right})


def part(folder: str, index: int, of: int = 2, made_from: str = "x", stage: str = "run-variants") -> None:
    """Write a finished part."""
    ledger.Part(stage, Shard(index, of), made_from).end(Campaign(Path(folder).resolve()))


def merged(*folders: str, into: str = "all") -> Callable[[], object]:
    """Return the merging of folders."""
    return lambda: ledger.merge(Campaign(Path(into).resolve()), [Path(one) for one in folders])


def two_parts() -> None:
    """Write both parts of a stage."""
    part("p1", 1)
    part("p2", 2)


def second_part() -> None:
    """Write the second part as the first was made."""
    part("p2", 2)


def begun(folder: str) -> Callable[[], None]:
    """Return the beginning of another part."""
    return lambda: ledger.Part("run-variants", Shard(2, 2), "x").begin(Campaign(Path(folder).resolve()))


def with_a_cut_shard() -> None:
    """Pack a folder of one file, keep its shard, and cut it."""
    Path("f").mkdir()
    Path("f/a.jsonl.gz").write_bytes(PACKED)
    storage.pack(Path("f").resolve(), "*.jsonl.gz")
    [shard] = Path("f").glob("shard-*")
    Path("kept").write_bytes(shard.read_bytes())
    shard.write_bytes(b"x")


def restore_shard() -> None:
    """Put the shard back."""
    [shard] = Path("f").glob("shard-*")
    shard.write_bytes(Path("kept").read_bytes())


def stored() -> bytes:
    """Read the file of the packed folder."""
    with storage.open_stored(Path("f").resolve() / "a.jsonl.gz") as stream:
        return stream.read()


def freezing(folder: str, *traces: Trace) -> Callable[[], object]:
    """Return the freezing of a conversation in a folder."""
    return lambda: freeze_traces(Campaign(Path(folder)), traces or (TRACE,), note="by hand")


RECORDS = [
    line("remove it", "\n" + GOOD),
    line("save it as UTF-8", b'{"a":"\xe9"}\n'),
    line("correct the line", '{"a":1,}\n'),
    line("write null for what is undefined", '{"a":NaN}\n'),
    line("keep one of the two values", '{"a":1,"a":2}\n'),
    line("correct the number", '{"a":123456789012345678901234}\n'),
    line("flatten the record", '{"a":' + "[" * 300 + "]" * 300 + "}\n"),
    line("write one object a line", "[1]\n"),
    file("write or copy it again", lambda: hashing.sha256_file(Path("a.gz")), "a.gz", PACKED[:20], PACKED),
    file("write or copy it again", lambda: hashing.sha256_file(Path("a.png")), "a.png", b"\x89PNG", PNG),
    file("name the right file", lambda: read_regular(Path("a"), 9), "a", "x" * 99, "x"),
    Row("check the path", lambda: read_regular(Path("b"), 9), lambda: read_regular(Path("a"), 9), files={"a": "x"}),
    Row(
        "move or rename it",
        lambda: open_regular(Path("a")).close(),
        before=lambda: Path("a").mkdir(),
        does=(lambda: Path("a").rename("b"), lambda: Path("a").write_text("x")),
    ),
    Row("restore it, or name another", lambda: inside(Path(), "../a"), lambda: inside(Path(), "a")),
    Row(
        "remove the link",
        lambda: inside(Path("in"), "link/a"),
        before=lambda: (Path("in").mkdir(), Path("in/link").symlink_to("/")),
        does=(lambda: Path("in/link").unlink(),),
    ),
    Row(
        "use letters, digits, `.`, `_` and `-`, at most 100 of them",
        lambda: ids.case_id_of("a/b"),
        lambda: ids.case_id_of("a-b"),
    ),
    Row("did you mean {}?", lambda: ids.known_case_ids(["case-10"], KNOWN), lambda: ids.known_case_ids(KNOWN, KNOWN)),
    Row("ids look like {}", lambda: ids.known_case_ids(["zebra"], KNOWN), lambda: ids.known_case_ids(KNOWN, KNOWN)),
    Row(
        "write it like 2024-12-19T12:00:00Z",
        lambda: ids.parse_timestamp("19.12.2024"),
        lambda: ids.parse_timestamp("2024-12-19T12:00:00Z"),
    ),
    Row("add both; see evals/README.md, Records", lambda: schemas.identify({}), lambda: schemas.identify(NAMED)),
    Row("known are {}", lambda: schemas.identify(NAMED | {"schema_name": "x"}), lambda: schemas.identify(NAMED)),
    frozen("correct the record, or run `exaid-evals validate` for all problems", record_of(created_at=1)),
    frozen("run `exaid-evals make-traces`", None),
    frozen("write or copy it again", record_of() * 2),
    frozen(
        manifest.RESTORE,
        record_of(trace_dataset_hash="sha256:" + "0" * 64),
    ),
]

FOLDERS = [
    Row("restore the folder, or make it again", stored, before=with_a_cut_shard, does=(restore_shard,)),
    Row("run its stage with --shard again", merged("p1", "p2"), before=lambda: part("p1", 1), does=(second_part,)),
    Row("name the folders that --shard has written", merged(), merged("p1", "p2"), before=two_parts),
    Row(
        "make all with the same command, inputs and version, but for --shard and --into",
        merged("p1", "p2"),
        before=lambda: (part("p1", 1), part("p2", 2, made_from="y")),
        does=(second_part,),
    ),
    Row("name the folder of each part once", merged("p1", "p1"), merged("p1", "p2"), before=two_parts),
    Row(
        "make the part again",
        merged("p1", "p2"),
        before=lambda: (two_parts(), Path("p1/link").symlink_to("/etc/hosts")),
        does=(lambda: Path("p1/link").unlink(), lambda: part("p1", 1)),
    ),
    Row(
        "merge into another folder",
        merged("p1", "p2"),
        merged("p1", "p2", into="other"),
        files={"p1/a": "x", "all/a": "y"},
        before=two_parts,
    ),
    Row("name an empty folder for this part alone", begun("p1"), begun("p3"), before=two_parts),
    Row(
        "make the parts again",
        lambda: ledger.join_spools(Path("all"), [Path("a"), Path("b")]),
        files={"a": "head 1\n", "b": "head 2\n"},
        then={"a": "head\n", "b": "head\n"},
    ),
    Row("choose an empty data folder", freezing("one"), freezing("two"), before=freezing("one")),
    Row(
        "freeze one trace a case, all of one commit and model",
        freezing("one", TRACE, TRACE),
        freezing("one"),
    ),
    Row("correct the traces", freezing("one", WRONG), freezing("one")),
    Row(
        manifest.RESTORE,
        lambda: verify_frozen(Campaign(Path("one"))),
        before=lambda: (freezing("one")(), Path("one/traces/case-1.jsonl.gz").rename("kept")),
        does=(lambda: Path("kept").rename("one/traces/case-1.jsonl.gz"),),
    ),
]

ROWS = [*RECORDS, *FOLDERS]
