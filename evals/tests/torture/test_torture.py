"""A few of the faults of `make torture`, and every reader against some broken files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.artifacts.hashing import salvaged_chunks
from exaid_evals.files import read_regular
from stub_campaigns import shared_campaign
from torture import fuzz, planted
from torture.readers import readers

_EVALS = Path(__file__).resolve().parents[2]
_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
from pathlib import Path
from exaid_evals.files import read_regular
print(len(read_regular(Path(sys.argv[1]), 2 << 30)))
"""


READERS = readers(shared_campaign().root)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses(name: str) -> None:
    """Whatever is done to a file: no other error, no long wait, no endless message; the same for what is not a file."""
    reader = READERS[name]
    counts = fuzz.check(reader, 6, seed=3)
    assert sum(counts.values()) > 0
    with fuzz.bed(reader) as folders:
        for put in (
            os.mkfifo,
            Path.mkdir,
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to(path),
        ):
            for target in range(min(len(reader.targets), 2)):
                assert folders.given(target, put) in ("read", "refused")


FOUND = {
    "half of a character in a sample": (
        "items: lm_eval",
        b'{"doc_id": 0, "doc": {"\\ud800": "\\udc00"}, "acc": 1.0}\n',
    ),
    "half of a character in a checkpoint": ("checkpoint", b'{"schema_name": "exaid.recovery", "a": "\\ud800"}'),
    "a parameter without a name": (
        "runs: optuna",
        b'{"op_code":0,"study_name":"j","directions":[2]}\n{"op_code":4,"study_id":0}\n'
        b'{"op_code":5,"trial_id":0,"param_name":"lr","param_value_internal":1,"distribution":"{}"}\n'
        b'{"op_code":5,"trial_id":0,"param_value_internal":1,"distribution":"{}"}\n',
    ),
    "a step that no float holds": ("runs: nanogpt", b"s:0 tel:11.0\ns:" + b"1" * 400 + b" trl:" + b"1" * 400 + b"\n"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str) -> None:
    """The smallest files that made a reader raise what nobody had foreseen."""
    reader, content = FOUND[name]
    with fuzz.bed(READERS[reader]) as folders:
        assert {folders.tried(target, content) for target in range(len(READERS[reader].targets))} <= {"read", "refused"}


def test_a_bound_on_bytes_is_not_taken_from_memory(tmp_path: Path) -> None:
    """A file of three bytes that may have 2 GiB is read in little memory."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    found = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(_EVALS / "src")},
    )  # fmt: skip
    assert found.stdout == "3\n", found.stderr
    assert read_regular(path, 3) == b"".join(salvaged_chunks(path)) == b"abc"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/bin/gcc").exists(), reason="makes calls fail by a library that gcc makes")
def test_a_killed_stage_loses_nothing() -> None:
    """Stages and a paid model, killed at random calls: the same files afterwards, no call paid twice."""
    paths = os.pathsep.join([str(_EVALS / "src"), str(_EVALS / "tests")])
    done = subprocess.run(
        [sys.executable, "-m", "torture", "--size", "tiny", "kills", "disks"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 wrong, 0 calls paid twice" in done.stdout


@pytest.mark.slow
def test_a_key_comes_out_of_no_place() -> None:
    """Wherever a server or a user puts it; and where the server says it, what is shown of it is `[redacted]`."""
    counts = dict(planted.planted(1))
    assert [wrong for count in counts.values() for wrong in count.wrong] == []
    assert sum(count.struck for count in counts.values()) > len(counts) / 2
