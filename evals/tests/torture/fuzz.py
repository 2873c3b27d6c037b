"""Readers that are given broken files: they read, or refuse by name, within limits; nothing else may come of it.

Folders are those of `readers`, with one file changed: by edits that Hypothesis draws and, where one fails, makes small;
or by a fuzzer that sees which lines a change reaches (`guided`), where that is installed.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from exaid_evals.errors import ExaidError
from torture.bench import Count, cpu_seconds, ended, started
from torture.readers import Reader, readers

# Ten seconds of work, whatever else the machine does; and no waiting.
_TIMERS = ((signal.ITIMER_PROF, signal.SIGPROF, 10), (signal.ITIMER_REAL, signal.SIGALRM, 50))
MOST_BYTES = 1 << 20
LIMIT_BYTES = 1 << 30
_MOST_TOLD = 100_000
_PACKED = b"\x1f\x8b"
TOKENS = [
    *(b"\0", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\t", b"# ", b"\r\n", b"\n\n", b""),
    *(b"null", b"true", b"NaN", b"-", b"1e999", b"-0.0", b"0.1e-400", b"1" * 400, b"9" * 30),
    *(b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xe2\x80\xae"),
    *(b"../../x", b"/etc/passwd", b"=cmd|' /C calc'!A0", b"<script>", b"PK\x03\x04", b"\x1f\x8b\x08\0"),
    *(b"!!python/object/apply:os.system [id]", b"&a [*a]", b"<<: *a", b"[" * 3000, b'{"a":' * 3000),
    *(b"schema_version", b"1.0.0", b"99.0.0", b"success"),
    *(
        b"!!binary QUJD",
        b"!!set {a}",
        b"!!omap [a: 1]",
        b"2001-01-01",
        b"1:30",
        b"012",
        b".inf",
        b"Infinity",
        b"1e308",
        b"1e-320",
    ),
]


class TooLongError(BaseException):
    """A reader takes longer than it may."""


def edits(reader: Reader) -> st.SearchStrategy[tuple[int, bytes]]:
    """Return a strategy of which file is changed, and its content after up to six edits."""
    place = st.floats(0, 1)
    others = [content for folder in reader.folders for content in folder.values()]
    edit = st.one_of(
        st.tuples(st.just("cut"), place, st.integers(1, 200)),
        st.tuples(st.just("insert"), place, st.sampled_from(TOKENS)),
        st.tuples(st.just("replace"), place, st.sampled_from(TOKENS)),
        st.tuples(st.just("flip"), place, st.integers(0, 7)),
        st.tuples(st.just("double"), place, st.integers(1, 3000)),
        st.tuples(st.just("end"), place, st.none()),
        st.tuples(st.just("splice"), place, st.sampled_from(others)),
    )
    chosen = st.integers(0, len(reader.targets) - 1)
    return st.tuples(chosen, st.lists(edit, min_size=1, max_size=6)).map(
        lambda made: (made[0], edited(plain(reader, made[0]), made[1]))
    )


def random_edits(rng: random.Random, others: Sequence[bytes]) -> list[tuple[str, float, Any]]:
    """Draw a few edits."""
    kinds = {
        "cut": lambda: rng.randint(1, 200),
        "insert": lambda: rng.choice(TOKENS),
        "replace": lambda: rng.choice(TOKENS),
        "flip": lambda: rng.randint(0, 7),
        "double": lambda: rng.randint(1, 3000),
        "end": lambda: None,
        "splice": lambda: rng.choice(others),
    }
    drawn = rng.choices(list(kinds), k=rng.randint(1, 3))
    return [(kind, rng.random(), kinds[kind]()) for kind in drawn]


def edited(content: bytes, changes: Sequence[tuple[str, float, Any]]) -> bytes:
    """Return a content after edits: what is done, where (0 to 1), and with what."""
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
    return content[:MOST_BYTES]


def plain(reader: Reader, target: int) -> bytes:
    """Return a file's content, unpacked."""
    number, name = reader.targets[target]
    content = reader.folders[number][name]
    return gzip.decompress(content) if content.startswith(_PACKED) else content


class Bed:
    """Folders on the disk that a reader is given, of which one file at a time is another."""

    def __init__(self, reader: Reader, place: Path) -> None:
        """Write them."""
        self._reader, self._place = reader, place
        for number, folder in enumerate(reader.folders):
            for name, content in folder.items():
                path = place / str(number) / "run" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def tried(self, target: int, content: bytes) -> str:
        """Give the reader a changed file; return `read` or `refused`.

        Raises:
            AssertionError: it took too long or too much, or told too much.
            Exception: whatever else it raised.
        """
        packs = self._reader.targets[target][1].endswith(".gz") and not content.startswith(_PACKED)
        return self.given(target, lambda path: path.write_bytes(gzip.compress(content, 1) if packs else content))

    def given(self, target: int, put: Callable[[Path], object]) -> str:
        """Give the reader whatever is put in a file's place; return and raise as `tried`."""
        number, name = self._reader.targets[target]
        path = self._place / str(number) / "run" / name
        path.unlink()
        put(path)
        for timer, alarm, limit_s in _TIMERS:
            signal.signal(alarm, _ring)
            signal.setitimer(timer, limit_s)
        try:
            self._reader.read(self._place / str(number) / "run", path)
        except ExaidError as error:
            if len(str(error)) > _MOST_TOLD:
                raise AssertionError(f"a message of {len(str(error))} characters") from error
            return "refused"
        except (TooLongError, MemoryError, RecursionError) as error:
            raise AssertionError(f"{type(error).__name__} in {name}") from error
        finally:
            for timer, *_ in _TIMERS:
                signal.setitimer(timer, 0)
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(self._reader.folders[number][name])
        return "read"


def _ring(*_: object) -> None:
    raise TooLongError


@contextlib.contextmanager
def bed(reader: Reader) -> Iterator[Bed]:
    """Lend the folders of a reader."""
    with tempfile.TemporaryDirectory(prefix="torture-bed-") as place:
        yield Bed(reader, Path(place))


def check(reader: Reader, number: int, seed: int) -> dict[str, int]:
    """Give a reader so many broken files; return how often it read and refused.

    Raises:
        Exception: the first that is neither, with the smallest file that does it.
    """
    counts = {"read": 0, "refused": 0}
    with bed(reader) as folders, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the size of a failing file

        @seeded(seed)
        @settings(
            max_examples=number,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        @given(made=edits(reader))
        def give(made: tuple[int, bytes]) -> None:
            counts[folders.tried(*made)] += 1

        give()
    return counts


def fuzzed(campaign: Path, number: int, seed: int) -> Iterator[tuple[str, Count]]:
    """Give every reader so many broken files, each reader in a process with limits; guided where Atheris is here."""
    if importlib.util.find_spec("atheris") is None:
        print("NO ATHERIS: broken files are drawn without looking where they lead", flush=True)
        for name, reader in readers(campaign).items():
            yield f"fuzzed: {name}", _drawn(reader, number, seed)
        return
    command = [sys.executable, "-m", "torture.guided", str(campaign), str(number), str(seed)]
    count = Count()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout or ():
            reported = json.loads(line)
            count.attempts, count.struck = sum(reported["counts"].values()), reported["counts"].get("refused", 0)
            count.wrong = [
                f"{key} in {name}: {what} ({content[:2000]})" for key, name, what, content in reported["found"]
            ]
            count.cpu = cpu_seconds() - reported["cpu_s"]
            yield f"fuzzed: {reported['reader']} ({reported['peak_mb']} MB)", count
            count = Count()
    if process.returncode:
        count.wrong.append(f"the fuzzer ended with {process.returncode}")
        yield "fuzzed", count


def _drawn(reader: Reader, number: int, seed: int) -> Count:
    """Check a reader in a forked process that may have so much memory."""
    count = Count()
    with tempfile.NamedTemporaryFile() as reported:

        def work() -> int:
            limit_memory()
            try:
                result = ["", check(reader, number, seed)]
            except BaseException as error:
                notes = " ".join(getattr(error, "__notes__", []))
                result = [f"{type(error).__name__}: {error} {notes}"[:1500], {}]
            Path(reported.name).write_text(json.dumps(result), encoding="utf-8")
            return 0

        status = ended(started(work), limit_s=number * 60)
        problem, counts = json.loads(reported.read() or b'["nothing", {}]')
    count.attempts, count.struck = sum(counts.values()), counts.get("refused", 0)
    count.wrong = [f"{problem}, ends with {status}"] if problem or status else []
    return count


def limit_memory() -> None:
    """Let this process take 1 GiB more than it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
