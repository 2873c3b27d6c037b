"""Readers that are given broken files: they read, or refuse by name, within limits; nothing else may come of it.

Files are made of those that the project itself writes or keeps as examples, by edits that Hypothesis draws and, where
one of them fails, makes small.
"""

from __future__ import annotations

import ast
import gzip
import io
import os
import resource
import shutil
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from PIL import Image

from exaid_evals.analysis.images.measure import ImageProblemError, decode, open_image
from exaid_evals.artifacts.content import content_chunks
from exaid_evals.artifacts.jsonl import salvage_jsonl, scan_document, scan_jsonl
from exaid_evals.artifacts.ledger import Ledger
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import DataError, ExaidError
from exaid_evals.metrics.comparison_records import read_comparisons
from exaid_evals.metrics.records import read_variant_and_cases
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.replay.run_log import read_run
from exaid_evals.runs.files.document import read_yaml
from exaid_evals.runs.registry import formats
from exaid_evals.traces.importers.registry import importer_of
from exaid_evals.traces.importers.source import Source
from exaid_evals.traces.model import read_trace
from exaid_evals.validation.base import Surroundings
from exaid_evals.validation.scan import Target, check_file
from torture.bench import Count

GOLD = Path(__file__).resolve().parents[1] / "gold"
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
LIMIT_S = 10
LIMIT_BYTES = 1 << 30
_MOST_SEEDS = 12
_TOKENS = [
    *(b"\0", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\t", b"# ", b"\r\n", b"\n\n", b""),
    *(b"null", b"true", b"NaN", b"-", b"1e999", b"-0.0", b"0.1e-400", b"1" * 400, b"9" * 30),
    *(b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xe2\x80\xae"),
    *(b"../../x", b"/etc/passwd", b"=cmd|' /C calc'!A0", b"<script>", b"PK\x03\x04", b"\x1f\x8b\x08\0"),
    *(b"!!python/object/apply:os.system [id]", b"&a [*a]", b"<<: *a", b"[" * 3000, b'{"a":' * 3000),
    *(b"schema_version", b"1.0.0", b"99.0.0", b"success"),
]


class _TooLongError(BaseException):
    """A reader takes longer than it may."""


def edits(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy of contents that are a seed with up to six edits."""
    place = st.floats(0, 1)
    edit = st.one_of(
        st.tuples(st.just("cut"), place, st.integers(1, 200)),
        st.tuples(st.just("insert"), place, st.sampled_from(_TOKENS)),
        st.tuples(st.just("replace"), place, st.sampled_from(_TOKENS)),
        st.tuples(st.just("flip"), place, st.integers(0, 7)),
        st.tuples(st.just("double"), place, st.integers(1, 3000)),
        st.tuples(st.just("end"), place, st.none()),
        st.tuples(st.just("splice"), place, st.sampled_from(list(seeds))),
    )
    return st.tuples(st.sampled_from(list(seeds)), st.lists(edit, min_size=1, max_size=6)).map(
        lambda made: _edited(*made)
    )


def _edited(content: bytes, changes: Sequence[tuple[str, float, Any]]) -> bytes:
    for kind, place, what in changes:
        at = int(place * len(content))
        before, after = content[:at], content[at:]
        if kind == "cut":
            content = before + after[what:]
        elif kind == "insert":
            content = before + what + after
        elif kind == "replace":
            content = before + what + after[len(what) :]
        elif kind == "flip" and after:
            content = before + bytes([after[0] ^ 1 << what]) + after[1:]
        elif kind == "double":
            content = before + after[:what] + after
        elif kind == "end":
            content = before
        elif kind == "splice":
            content = before + what[int(place * len(what)) :][:5000]
    return content[: 1 << 20]


Reader = Callable[[Path], object]
_ARCHIVE = "2026-11-22T00-54-59-00-00_sums_bDyKfBgL3uLXsDQUfnVXJX.eval"


def _runs(path: Path) -> None:
    """Read whatever runs a format claims, in the folder of a file, or in the file itself."""
    for place in (path, path.parent):
        for form in formats():
            try:
                if form.claims(place):
                    for name, source in list(form.named(place).items())[:3]:
                        form.read(source, name)
                        if form.has_history:
                            form.history(source, name)
            except ExaidError:
                continue


def _image(path: Path) -> None:
    data = path.read_bytes()
    try:
        decode(open_image(data, 4_000_000), data)
    except ImageProblemError as error:
        raise DataError(error.reason) from None


def _ledger(path: Path) -> None:
    with Ledger(path, read_only=True) as ledger:
        ledger.recorded()


def _imported(path: Path) -> None:
    source = Source(path)
    importer_of(source).read(source)


def _all(read: Callable[[Path], Iterator[object]]) -> Reader:
    return lambda path: [None for _ in read(path)]


def readers(campaign: Path) -> dict[str, tuple[Reader, str, Sequence[Path | bytes]]]:
    """Return name → reader, name of the file that it is given, and files that it reads rightly."""
    of = {
        "manifest": campaign / "manifests" / "dataset_manifest.jsonl",
        "trace": next((campaign / "traces").iterdir()),
        "run": next((campaign / "runs" / "V3").iterdir()),
        "metrics": campaign / "metrics" / "V3.metrics.jsonl",
        "comparisons": campaign / "metrics" / "comparisons.metrics.jsonl",
        "ledger": campaign / ".state" / "run-variants.jsonl",
        "export": campaign / "exports" / "exported_summary.json",
    }
    cassettes = sorted((campaign / "cassettes").glob("eval-*"))
    yaml = [*sorted(CONFIGS.glob("*.yaml")), *sorted((CONFIGS / "variants").glob("*.yaml"))]
    conversations = sorted(path for path in (GOLD / "exports").iterdir() if path.suffix == ".json")
    tools = sorted(
        path for path in (GOLD / "export").rglob("*") if path.is_file() and path.suffix not in (".py", ".md")
    )
    named = {suffix: [path for path in tools if path.suffix == suffix] for suffix in (".json", ".csv", ".yaml", ".txt")}

    png = io.BytesIO()
    Image.effect_noise((60, 40), 50).save(png, "PNG")
    state = io.BytesIO()
    write_state(state, {"weights": np.arange(6.0).reshape(2, 3), "step": 3})

    def validated(path: Path) -> object:
        return check_file(Target(path, path.name), Surroundings(), keep=5)

    return {
        "configuration (YAML)": (read_mapping, "x.yaml", yaml),
        "configuration (JSON)": (read_mapping, "x.json", [CONFIGS / "mac_model_config.json"]),
        "settings of runs (YAML)": (read_yaml, "x.yaml", [*yaml, *named[".yaml"]]),
        "records, packed": (_all(scan_jsonl), "x.jsonl.gz", [of["trace"], of["run"]]),
        "content": (_all(content_chunks), "x.gz", [of["trace"]]),
        "document": (_all(scan_document), "x.json", [of["export"]]),
        "salvage": (_all(salvage_jsonl), "x.jsonl.gz", cassettes or [of["trace"]]),
        "ledger": (_ledger, "x.jsonl", [of["ledger"]]),
        "manifest": (read_manifest, "x.jsonl", [of["manifest"]]),
        "trace": (read_trace, of["trace"].name, [of["trace"]]),
        "run log": (read_run, of["run"].name, [of["run"]]),
        "metrics": (read_variant_and_cases, "V3.metrics.jsonl", [of["metrics"]]),
        "comparisons": (read_comparisons, "comparisons.metrics.jsonl", [of["comparisons"]]),
        "cassette": (read_cassette, "eval-1.jsonl.gz", cassettes or [of["trace"]]),
        "validate": (validated, "x.jsonl", [of["manifest"], of["metrics"], of["comparisons"], of["ledger"]]),
        "conversations": (_imported, "x.json", conversations),
        "runs: JSON": (_runs, "val_metrics.json", [*named[".json"], of["export"]]),
        "runs: CSV": (_runs, "train_history.csv", named[".csv"]),
        "runs: text": (_runs, "report.txt", named[".txt"]),
        "runs: archive of inspect": (_runs, _ARCHIVE, [path for path in tools if path.suffix == ".eval"]),
        "runs: log of W&B": (_runs, "run-gold0001.wandb", [path for path in tools if path.suffix == ".wandb"]),
        "runs: database": (_runs, "mlflow.db", [path for path in tools if path.name == "mlflow.db.gz"]),
        "image": (_image, "x.png", [png.getvalue()]),
        "state of a model": (lambda path: read_state(path.read_bytes(), "x"), "x.npz", [state.getvalue()]),
    }


def tried(read: Reader, path: Path, content: bytes) -> str:
    """Give a reader a file; return `read` or `refused`.

    Raises:
        AssertionError: it raised anything else, or took too long.
    """
    path.write_bytes(content)
    signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        read(path)
    except ExaidError as error:
        told = str(error)
        assert len(told) < 100_000, f"a message of {len(told)} characters"
        return "refused"
    except (_TooLongError, MemoryError, RecursionError) as error:
        raise AssertionError(f"{type(error).__name__} over {content[:200]!r}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "read"


def _ring(*_: object) -> None:
    raise _TooLongError


def _content_of(seed: Path | bytes) -> bytes:
    content = seed if isinstance(seed, bytes) else seed.read_bytes()
    return gzip.decompress(content) if isinstance(seed, Path) and seed.suffix == ".gz" else content


def check(reader: tuple[Reader, str, Sequence[Path | bytes]], number: int, seed: int) -> dict[str, int]:
    """Give a reader so many broken files; return how often it read and refused.

    Raises:
        Exception: the first that is neither, with the smallest file that does it.
    """
    read, name, paths = reader
    packed = name.endswith(".gz")
    plain = [_content_of(path) for path in paths[:_MOST_SEEDS]]
    counts = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "x" / name
        path.parent.mkdir()

        @seeded(seed)
        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(content=edits(plain), raw=st.booleans())
        def give(content: bytes, raw: bool) -> None:
            counts[tried(read, path, gzip.compress(content, 1) if packed and not raw else content)] += 1

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the size of a failing file
            give()
        shutil.rmtree(path.parent)
    return counts


def fuzzed(campaign: Path, number: int, seed: int) -> Iterator[tuple[str, Count]]:
    """Give every reader so many broken files, each reader in a process with limits."""
    for name, reader in readers(campaign).items():
        count = Count()
        problem, sums = _limited(lambda reader=reader: check(reader, number, seed))
        count.attempts, count.struck = sum(sums.values()), sums.get("refused", 0)
        if problem:
            count.wrong.append(problem)
        yield f"fuzzed: {name}", count


def _limited(work: Callable[[], dict[str, int]]) -> tuple[str, dict[str, int]]:
    """Do work in a forked process that may have so much memory; return what went wrong, and what it counted."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
        try:
            told = repr(("", work()))
        except BaseException as error:
            notes = " ".join(getattr(error, "__notes__", []))
            told = repr((f"{type(error).__name__}: {error} {notes}"[:1500], {}))
        with os.fdopen(write_end, "wb") as stream:
            stream.write(told.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as stream:
        told = stream.read().decode()
    _, status = os.waitpid(child, 0)
    if not told:
        return f"the process ended with {os.waitstatus_to_exitcode(status)}", {}
    problem, sums = ast.literal_eval(told)
    return problem, sums
