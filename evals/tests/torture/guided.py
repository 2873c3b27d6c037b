"""Readers under a fuzzer that sees where a change leads: `python -m torture.guided CAMPAIGN NUMBER SEED [READER …]`.

Atheris (libFuzzer) instruments this package as it is imported, and keeps what reaches new code. Each reader has a
forked process with limits, where an audit hook sees every file that is written, every process and every connection.
What is found does not end it; the smallest file of each finding is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["exaid_evals"], enable_loader_override=False):
    from torture import fuzz
    from torture.readers import Reader, readers

_STALLED_S = 60
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.rmtree"}
_STARTS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "pickle.find_class",
}


class TrespassError(BaseException):
    """A reader did what it must not."""


class _Guard:
    """Refuses writing outside a folder, starting programs, connecting and unpickling while a reader runs."""

    def __init__(self, place: Path) -> None:
        self._place, self.on = f"{place}{os.sep}", False
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _STARTS or (event in _CHANGES and not self._inside(arguments[0])):
            raise TrespassError(f"{event} {arguments[:2]!r:.200}")
        if (
            event == "open"
            and isinstance(arguments[2], int)
            and arguments[2] & _WRITES
            and not self._inside(arguments[0])
        ):
            raise TrespassError(f"writes {arguments[0]!r:.200}")

    def _inside(self, path: Any) -> bool:
        if isinstance(path, int) or path == os.devnull:
            return True
        return os.path.abspath(os.fsdecode(path)).startswith(self._place)  # noqa: PTH100 - links are the reader's matter


class _Campaign:
    """What is counted and found while a reader is fuzzed."""

    def __init__(self, reader: Reader, number: int, seed: int, place: Path, out: int) -> None:
        self._reader, self._number, self._out = reader, number, out
        self._bed, self._guard = fuzz.Bed(reader, place / "bed"), _Guard(place)
        self._others = [content for folder in reader.folders for content in folder.values()]
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self.counts = {"read": 0, "refused": 0, "wrong": 0}
        self.found: dict[str, tuple[int, bytes, str]] = {}
        for target in range(len(reader.targets)):  # imports what reading needs, unguarded
            self._bed.tried(target, fuzz.plain(reader, target))

    def seeds(self) -> Iterator[bytes]:
        """Yield what is known to be read: which file, and its content."""
        for target in range(len(self._reader.targets)):
            yield target.to_bytes(2, "big") + fuzz.plain(self._reader, target)

    def mutated(self, data: bytes, most: int, seed: int) -> bytes:
        """Change an input: by libFuzzer's own means, or by edits that know the formats."""
        head, content = data[:2].ljust(2, b"\0"), data[2:]
        self._rng.seed(seed)
        if self._rng.random() < 0.3:
            return head + bytes(atheris.Mutate(content or b"x", most - 2))
        return (head + fuzz.edited(content, fuzz.random_edits(self._rng, self._others)))[:most]

    def one(self, data: bytes) -> None:
        """Give the reader an input."""
        target = int.from_bytes(data[:2].ljust(2, b"\0"), "big") % len(self._reader.targets)
        outcome = "wrong"
        try:
            self._guard.on = True
            outcome = self._bed.tried(target, data[2:])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is
            self._guard.on = False
            self._keep(error, target, data[2:])
        finally:
            self._guard.on = False
        self.counts[outcome] += 1
        done = sum(self.counts.values())
        os.write(self._out, b".")  # it goes on
        if done >= self._number:
            self._tell()

    def _keep(self, error: BaseException, target: int, content: bytes) -> None:
        error = error.__cause__ if isinstance(error.__cause__, MemoryError | RecursionError) else error
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "exaid_evals" in frame.filename]
        last = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
        key = f"{type(error).__name__} {last}"
        if key not in self.found or len(content) < len(self.found[key][1]):
            self.found[key] = (target, content, str(error)[:300])

    def _tell(self) -> None:
        found = [
            [key, self._reader.targets[target][1], reported, content.hex()]
            for key, (target, content, reported) in self.found.items()
        ]
        used = resource.getrusage(resource.RUSAGE_SELF)
        reported = {
            "counts": self.counts,
            "found": found,
            "peak_mb": used.ru_maxrss >> 10,
            "cpu_s": used.ru_utime + used.ru_stime,
        }
        data = b"\n" + json.dumps(reported).encode()
        while data:
            data = data[os.write(self._out, data) :]
        os._exit(0)


def _child(reader: Reader, number: int, seed: int, place: Path, out: int) -> None:
    fuzz.limit_memory()
    os.environ["TMPDIR"] = tempfile.tempdir = str(place)
    os.environ["XDG_CACHE_HOME"] = os.environ["MPLCONFIGDIR"] = str(place / "cache")
    warnings.simplefilter("ignore")
    campaign, corpus = _Campaign(reader, number, seed, place, out), place / "corpus"
    corpus.mkdir()
    for data in campaign.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    sink = os.open(place / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    options = [
        f"-seed={seed}",
        f"-max_len={fuzz.MOST_BYTES}",
        "-timeout=0",
        "-rss_limit_mb=0",
        "-len_control=0",
        f"-artifact_prefix={place}/",
    ]
    atheris.Setup(["fuzz", *options, str(corpus)], campaign.one, custom_mutator=campaign.mutated)
    atheris.Fuzz()


def fuzzed(reader: Reader, number: int, seed: int) -> dict[str, Any]:
    """Fuzz a reader in a process of its own; return what was counted and found."""
    with tempfile.TemporaryDirectory(prefix="torture-guided-") as folder:
        read_end, write_end = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(read_end)
                _child(reader, number, seed, Path(folder), write_end)
            finally:
                traceback.print_exc()
                os._exit(70)
        os.close(write_end)
        reported = b""
        while select.select([read_end], [], [], _STALLED_S)[0] and (data := os.read(read_end, 1 << 16)):
            reported += data
        os.close(read_end)
        done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if b"{" in reported:
            result: dict[str, Any] = json.loads(reported[reported.index(b"{") :])
            return result
        log = Path(folder, "log")
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        what = f"ends with {os.waitstatus_to_exitcode(status)} after {len(reported)}: {tail}"
        return {"counts": {"wrong": 1}, "found": [[what, "", "", ""]], "peak_mb": 0, "cpu_s": 0.0}


def main() -> None:
    """Fuzz readers; print a line of JSON for each."""
    campaign, number, seed, *names = sys.argv[1:]
    every = readers(Path(campaign))
    for name, reader in every.items():
        if not names or name in names:
            print(json.dumps({"reader": name, **fuzzed(reader, int(number), int(seed))}), flush=True)


if __name__ == "__main__":
    main()
