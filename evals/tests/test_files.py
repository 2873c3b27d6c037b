"""What others may have left: a name leads into its folder or nowhere, and only files are read."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.atomic import write_unless_same
from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.ledger import Ledger
from exaid_evals.cli.main import run
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import DataError, ExaidError
from exaid_evals.files import copy_regular, holds, inside, lies_in, read_regular
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.document import read_yaml
from exaid_evals.runs.following import GrowingFile
from stub_campaigns import copy_of, shared_campaign

_PARTS = st.one_of(st.sampled_from(["..", ".", "", "a", "V0", "link", "~", "C:", "\\", "\0"]), st.text(max_size=4))


@given(st.lists(_PARTS, max_size=6).map("/".join))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    """Whatever a file says, the path lies in the folder, links that lead elsewhere included."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "in").resolve()
        folder.mkdir()
        (folder / "link").symlink_to(place)
        try:
            path = inside(folder, name)
        except DataError:
            return
        assert path.parent.resolve().is_relative_to(folder)
        assert path not in (folder, folder.parent)


HOSTILE = (
    "../../victim/x",
    "../victim/x",
    "/{root}/victim/x",
    "V0/../../victim/x",
    "..%2f",
    "V1",
    "",
    "a/b/c",
    "V0/..",
)


@pytest.mark.parametrize("stage", ["run-variants", "compute-metrics", "report", "paper", "make-traces"])
def test_a_ledger_chooses_nothing_that_is_removed(tmp_path: Path, stage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Keys that are paths, or no keys of this stage, remove nothing, whatever the stage would append to them."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    for suffix in ("", ".jsonl.gz", ".metrics.jsonl"):
        for place in (tmp_path / "victim", campaign.root / "victim"):
            place.mkdir(exist_ok=True)
            (place / f"x{suffix}").write_text("precious")
    cassette = campaign.cassettes / "eval-1.jsonl.gz"
    cassette.parent.mkdir()
    cassette.write_bytes(b"paid")
    ledger = campaign.state / f"{stage}.jsonl"
    keys = [*HOSTILE, "cassettes/eval-1.jsonl.gz", "../cassettes/eval-1", "cassettes/eval-1"]
    lines = [f'{{"inputs":"a","key":"{key.format(root=tmp_path)}","output":"b"}}\n' for key in keys]
    ledger.write_text("".join(lines) + (ledger.read_text() if ledger.exists() else ""))
    where = ["--data-dir", str(campaign.root)]
    small = ["--stub", "--source", "small_cases:load", "--n-cases", "12", "--limit", "2"]
    calls = {
        "run-variants": ["run-variants", "--stub", *where],
        "make-traces": ["make-traces", *small, *where],
        "paper": ["paper", "--assemble-only", *where],
    }
    assert run(calls.get(stage, ["compute-metrics", *where])) == 0
    left = [path.name for place in (tmp_path, campaign.root) for path in sorted((place / "victim").iterdir())]
    assert left == ["x", "x.jsonl.gz", "x.metrics.jsonl"] * 2
    assert cassette.read_bytes() == b"paid"
    if stage != "make-traces":  # what is frozen is not looked up
        assert "names no output; left out" in caplog.text


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket may be of 108 bytes
        one.bind(path.name)
        os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


READERS: dict[str, Callable[[Path], object]] = {
    "config": read_mapping,
    "content": lambda path: list(content_chunks(path)),
    "runs": lambda path: content_of(path, 1000),
    "yaml": read_yaml,
    "growing": lambda path: list(GrowingFile(path).lines()),
    "bytes": lambda path: read_regular(path, 1000),
    "copy": lambda path: copy_regular(path, path.with_name("copy")),
    "ledger": lambda path: Ledger(path, read_only=True).__enter__(),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [_pipe, _socket, _device, _folder])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None], reader: str) -> None:
    """A pipe without a writer, a socket, an endless device and a folder are refused by name, at once."""
    path = tmp_path / "x.yaml"
    make(path)
    if reader == "ledger":  # what cannot be read is made again
        READERS[reader](path)
        return
    with pytest.raises(ExaidError, match=r"x\.yaml: is .*, where a file must stand"):
        READERS[reader](path)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [_pipe, _socket, _device])
def test_what_stands_in_an_outputs_place_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Whether it holds the same already is asked without waiting for it."""
    path = tmp_path / "table.csv"
    make(path)
    assert not holds(path, b"a,b\n")
    write_unless_same(path, b"a,b\n")
    assert holds(path, b"a,b\n")
    assert not holds(path, b"a,c\n")


def test_a_link_to_itself_lies_where_it_lies(tmp_path: Path) -> None:
    """It is followed without end by nobody, and leads nowhere else."""
    (tmp_path / "a").symlink_to("a")
    (tmp_path / "out").symlink_to("/")
    assert lies_in(tmp_path / "a" / "b", tmp_path)
    assert not lies_in(tmp_path / "out" / "etc", tmp_path)
    assert inside(tmp_path, "a") == tmp_path / "a"
