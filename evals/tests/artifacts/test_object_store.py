"""Folders in an object store: the same bytes as here, and nothing lost where a command or the store fails."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from exaid_evals import open_campaign, read_runs
from exaid_evals.artifacts import object_store
from exaid_evals.artifacts.object_store import LOCK, local_copy
from exaid_evals.artifacts.redaction import with_urls
from exaid_evals.cli.main import run
from exaid_evals.errors import ConfigError, DataError, ExaidError
from stub_campaigns import ARGUMENTS, shared_campaign

fsspec = pytest.importorskip("fsspec")
URL = "memory://bucket/campaign"


@pytest.fixture(autouse=True)
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """Return an empty store, with no copy of it here."""
    places = tmp_path.resolve() / "copies"
    monkeypatch.setattr(object_store, "_place_of", lambda url: places / hashlib.sha256(url.encode()).hexdigest())
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def contents(store: fsspec.AbstractFileSystem, root: str = "/bucket/campaign") -> dict[str, bytes]:
    """Return name → content of what lies in a store."""
    return {path.removeprefix(root).lstrip("/"): store.cat_file(path) for path in store.find(root)}


def opened(**settings: bool) -> Iterator[Path]:
    """Open the folder as a command that writes does."""
    return local_copy(URL, **{"writes": True, "missing_ok": True, **settings})


def test_what_a_command_writes_changes_and_removes_is_in_the_store(stored: fsspec.AbstractFileSystem) -> None:
    """New files appear, changed ones are replaced, removed ones go, others are not moved again."""
    with opened() as folder:
        (folder / "a").write_bytes(b"1")
        (folder / "b").write_bytes(b"2")
    made = stored.info("/bucket/campaign/b")["created"]
    with opened() as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
        (folder / "a").unlink()
        (folder / "runs").mkdir()
        (folder / "runs" / "c").write_bytes(b"3")
    assert contents(stored) == {"b": b"2", "runs/c": b"3"}
    assert stored.info("/bucket/campaign/b")["created"] == made


def test_what_others_changed_is_fetched(stored: fsspec.AbstractFileSystem) -> None:
    """What another machine put, changed or removed there is so in the copy."""
    with opened() as folder:
        (folder / "a").write_bytes(b"1")
        (folder / "b").write_bytes(b"2")
    stored.pipe_file("/bucket/campaign/a", b"changed")
    stored.pipe_file("/bucket/campaign/new/c", b"3")
    stored.rm_file("/bucket/campaign/b")
    with opened(writes=False) as folder:
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == {"a": b"changed", "new/c": b"3"}


def test_what_a_killed_command_made_is_put_by_the_next(
    stored: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files lie in the copy, are not fetched over, and are put when the next command ends."""
    with opened() as folder:
        (folder / "a").write_bytes(b"1")
    with monkeypatch.context() as patch:
        patch.setattr(object_store._Copy, "put", lambda *_, **__: None)  # what a kill leaves out
        with opened() as folder:
            (folder / "a").write_bytes(b"paid for")
            (folder / "b").write_bytes(b"too")
    assert contents(stored) == {"a": b"1"}
    with opened(writes=False):
        pass
    assert contents(stored) == {"a": b"paid for", "b": b"too"}


def test_a_command_that_fails_leaves_in_the_store_what_it_made(stored: fsspec.AbstractFileSystem) -> None:
    """As it would in a folder."""

    def interrupted() -> None:
        with opened() as folder:
            (folder / "a").write_bytes(b"1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert contents(stored) == {"a": b"1"}


def test_ledgers_and_manifests_come_after_what_they_vouch_for(
    stored: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails half-way has no record of what is not there; the next command puts the rest."""
    put = object_store._Store.put

    def failing(self: object_store._Store, names: list[str], of: list[Path]) -> None:
        if any(name.startswith(".state/") for name in names):
            raise ExaidError("the store went away")
        put(self, names, of)

    def write_three() -> None:
        with opened() as folder:
            for name in (".state/runs.jsonl", "manifests/m.jsonl", "traces/a"):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(name.encode())

    with monkeypatch.context() as patch:
        patch.setattr(object_store._Store, "put", failing)
        with pytest.raises(ExaidError, match="went away"):
            write_three()
    assert list(contents(stored)) == ["traces/a"]
    with opened():
        pass
    assert sorted(contents(stored)) == [".state/runs.jsonl", "manifests/m.jsonl", "traces/a"]


def test_a_file_changed_here_and_there_is_neither_overwritten_nor_lost(
    stored: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it; done as it says, the store's is taken."""
    with opened() as folder:
        (folder / "a").write_bytes(b"1")
    with monkeypatch.context() as patch:
        patch.setattr(object_store._Copy, "put", lambda *_, **__: None)
        with opened() as folder:
            (folder / "a").write_bytes(b"here")
    stored.pipe_file("/bucket/campaign/a", b"there")
    with pytest.raises(DataError, match=r"changed both .*: a; .*remove the file from") as raised, opened():
        pass
    found = re.search(r"from (\S+) to take", with_urls(str(raised.value)))  # the copy's path, as it is shown
    assert found is not None
    assert (Path(found[1]) / "a").read_bytes() == b"here"
    (Path(found[1]) / "a").unlink()
    with opened() as folder:
        assert (folder / "a").read_bytes() == b"there"


@pytest.mark.parametrize("dead", [True, False])
def test_the_lock_of_another_command(stored: fsspec.AbstractFileSystem, dead: bool) -> None:
    """Who writes on another machine is named and waited for; who died on this one is not. Readers do not care."""
    pid = 2**22 + 1 if dead else os.getpid()  # beyond the largest that Linux gives
    holder = {"host": socket.gethostname(), "pid": pid, "since": "2026-01-01T00:00:00Z", "command": "exaid-evals x"}
    stored.pipe_file("/bucket/campaign/a", b"1")
    stored.pipe_file(f"/bucket/campaign/{LOCK}", orjson.dumps(holder))
    with opened(writes=False) as folder:
        assert [path.name for path in folder.iterdir()] == ["a"]
    if dead:
        with opened():
            pass
        assert contents(stored) == {"a": b"1"}
        return
    with (
        pytest.raises(ConfigError, match=rf"exaid-evals x` \(process {pid} .*is writing here.*remove {LOCK}"),
        opened(),
    ):
        pass


@pytest.mark.parametrize("writes", [True, False])
def test_a_copy_that_vanishes_takes_nothing_out_of_the_store(stored: fsspec.AbstractFileSystem, writes: bool) -> None:
    """Whoever cleans the cache meanwhile has removed a copy, and no campaign; the next command fetches it again."""
    stored.pipe_file("/bucket/campaign/a", b"1")

    def cleaned() -> None:
        with opened(writes=writes) as folder:
            shutil.rmtree(folder)

    with pytest.raises(DataError, match="cannot be read"):
        cleaned()
    assert contents(stored) == {"a": b"1"}
    with opened() as folder:
        assert (folder / "a").read_bytes() == b"1"


def test_what_a_command_removes_that_writes_no_campaign_is_gone_too(stored: fsspec.AbstractFileSystem) -> None:
    """As `export` replaces its tables without the lock of the campaign."""
    stored.pipe_file("/bucket/campaign/a", b"1")
    stored.pipe_file("/bucket/campaign/b", b"2")
    with opened(writes=False) as folder:
        (folder / "a").unlink()
    assert contents(stored) == {"b": b"2"}


def test_who_comes_while_files_are_fetched_waits_for_them(
    stored: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a copy is never read."""
    stored.pipe_file("/bucket/campaign/a", b"1")
    begun, go_on, read = threading.Event(), threading.Event(), []
    get = object_store._Store.get

    def slow(self: object_store._Store, names: list[str], to: list[Path]) -> None:
        begun.set()
        assert go_on.wait(30)
        get(self, names, to)

    def reader() -> None:
        with opened(writes=False) as folder:
            read.append([path.name for path in folder.iterdir()])

    monkeypatch.setattr(object_store._Store, "get", slow)
    both = [threading.Thread(target=reader) for _ in range(2)]
    both[0].start()
    assert begun.wait(30)
    both[1].start()
    both[1].join(0.3)
    assert read == []
    go_on.set()
    for one in both:
        one.join(30)
    assert read == [["a"], ["a"]]


def test_the_lock_of_a_process_that_cannot_be_is_another_commands(stored: fsspec.AbstractFileSystem) -> None:
    """A number that no process has is refused as any other lock."""
    holder = {"host": socket.gethostname(), "pid": 2**62, "since": "?", "command": "x"}
    stored.pipe_file(f"/bucket/campaign/{LOCK}", orjson.dumps(holder))
    with pytest.raises(ConfigError, match="is writing here"), opened():
        pass


def test_a_store_that_cannot_hold_a_lock_is_said(
    stored: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that replaces what it was to make only where nothing is."""
    said: list[str] = []
    with local_copy(URL, writes=True, missing_ok=True, report=said.append):
        pass
    assert said == []
    pipe_file = type(stored).pipe_file
    monkeypatch.setattr(type(stored), "pipe_file", lambda self, path, value, **_: pipe_file(self, path, value))
    with local_copy(URL, writes=True, missing_ok=True, report=said.append):
        pass
    assert said == [f"{URL} cannot hold a lock: see to it that no other machine writes there"]


def test_who_reads_goes_on_beside_who_writes_here(stored: fsspec.AbstractFileSystem) -> None:
    """The copy is read as it is, and only its writer puts it; another writer is refused, with the URL."""
    said: list[str] = []
    found = []

    def beside() -> None:
        with local_copy(URL, writes=False, missing_ok=True, report=said.append) as folder:
            found.extend(path.name for path in folder.iterdir())
        try:
            with opened():
                found.append("written")
        except ConfigError as error:
            said.append(with_urls(str(error)))

    with opened() as folder:
        (folder / "a").write_bytes(b"1")
        thread = threading.Thread(target=beside)  # the lock is of a thread
        thread.start()
        thread.join()
        assert contents(stored).keys() == {LOCK}
    assert found == ["a"]
    assert said[0] == f"another command works on the copy of {URL}: it is read as it is"
    assert re.match(rf"{URL}: .* is writing here; wait until it ends", said[1])


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a//b", "a\\b", "C:x"])
def test_no_object_chooses_a_path_outside_the_copy(
    stored: fsspec.AbstractFileSystem, tmp_path: Path, name: str
) -> None:
    """A name that leads elsewhere is refused before anything is written."""
    stored.store[f"/bucket/campaign/{name}"] = stored.store.setdefault("/bucket/campaign/ok", _file(stored))
    before = set(tmp_path.rglob("x"))
    with pytest.raises(DataError, match="names no file in a folder"), opened():
        pass
    assert set(tmp_path.rglob("x")) == before


def test_objects_that_stand_for_folders_are_no_files(stored: fsspec.AbstractFileSystem) -> None:
    """As the consoles of stores make them, with a slash at the end and nothing inside."""
    stored.pipe_file("/bucket/campaign/a", b"1")
    stored.pipe_file("/elsewhere", b"")
    stored.store["/bucket/campaign/runs/"] = stored.store["/elsewhere"]
    assert "/bucket/campaign/runs/" in stored.find("/bucket/campaign")
    with opened() as folder:
        assert [path.name for path in folder.rglob("*") if path.is_file() and ".state" not in path.parts] == ["a"]


def _file(stored: fsspec.AbstractFileSystem) -> object:
    stored.pipe_file("/elsewhere", b"1")
    return stored.store["/elsewhere"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("explain main V3 coverage --data-dir memory://bucket/none", "memory://bucket/none"),
        ("validate --data-dir nosuch://bucket/x", "Protocol not known: nosuch"),
        ("validate --data-dir s3://user:pass@bucket/x", "a URL with a user, password or query"),
        ("validate --data-dir zip://in::s3://user:pass@bucket/x.zip", "a URL with a user, password or query"),
        ("validate --data-dir abfs://box/x?sig=pass", "a URL with a user, password or query"),
        ("validate --data-dir ftp://127.0.0.1:1/x", "the store refuses or does not answer (ConnectionRefusedError"),
        ("import-campaign memory://bucket/none", "memory://bucket/none: no such folder; check the URL"),
        ("run-variants --stub --cluster tcp://x:1 --data-dir memory://bucket/c", "set EXAID_CACHE_DIR to a folder"),
    ],
)
def test_what_cannot_be_is_said(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the URL that the user gave, a remedy, and no traceback."""
    monkeypatch.delenv("EXAID_CACHE_DIR", raising=False)
    assert run(arguments.split()) in (1, 2)
    said = capsys.readouterr().err
    assert message in said
    assert "pass" not in said.replace("password", "")
    assert "Traceback" not in said


def test_a_campaign_in_a_store_has_the_bytes_of_one_here(
    stored: fsspec.AbstractFileSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stages find what is done, make the same again, and show the URL; what reads takes it by URL as well."""
    here = shared_campaign().root
    files = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for name, content in files.items():
        stored.pipe_file(f"/bucket/campaign/{name}", content)
    at = ["--data-dir", URL]
    assert run(["make-traces", *ARGUMENTS, "--limit", "2", *at]) == 0
    stored.rm("/bucket/campaign/runs/V1", recursive=True)
    assert run(["run-variants", "--stub", *at]) == 0
    said = capsys.readouterr().out
    assert f"2 run logs written, 8 current, in {URL}/runs" in said
    assert contents(stored) == files
    assert run(["validate", *at]) == 0
    assert run(["export", "--run", URL, "--out", str(tmp_path / "out")]) == 0
    assert "read 1 run: campaign" in capsys.readouterr().out
    assert open_campaign(URL).variants == ["V0", "V1", "V2", "V3", "V4"]


def test_runs_in_a_store_are_found_by_folder_and_pattern(
    stored: fsspec.AbstractFileSystem, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those here are, by `export` and from Python; a history is looked for there too."""
    for fold in (0, 1):
        path = f"/bucket/runs/fold-{fold}/results.csv"
        stored.pipe_file(
            path, b"epoch,train_loss,val_accuracy\n" + b"".join(b"%d,0.5,0.%d\n" % (i, i) for i in range(9))
        )
    assert len(read_runs("memory://bucket/runs/fold-*")) == 2
    stored.pipe_file("/bucket/runs/fold-2/results.csv", stored.cat_file("/bucket/runs/fold-1/results.csv"))
    assert run(["export", "--runs", "memory://bucket/runs/*/", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "read 3 runs" in shown.out
    assert "store: fetch 1 file of memory://bucket/runs\n" in shown.err
    assert run(["export", "--run", "memory://bucket/runs/fold-1", "--out", str(tmp_path / "one")]) == 0
    assert "read 1 run: fold-1" in capsys.readouterr().out


def test_a_store_that_speaks_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on loopback: objects, changes, and a lock that only one can make."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    servers = pytest.importorskip("moto.server", reason="moto is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = servers.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        monkeypatch.setitem(fsspec.config.conf, "s3", {"client_kwargs": {"endpoint_url": f"http://{host}:{port}"}})
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.mkdir("bucket")
        url = "s3://bucket/a/campaign"
        with local_copy(url, writes=True, missing_ok=True) as folder:
            (folder / ".state").mkdir()
            (folder / ".state" / "x").write_bytes(b"1")
            (folder / "y z").write_bytes(b"2" * 100_000)
            with pytest.raises(FileExistsError):
                store.pipe_file(f"bucket/a/campaign/{LOCK}", b"x", mode="create")
        store.invalidate_cache()
        assert sorted(store.find("bucket")) == ["bucket/a/campaign/.state/x", "bucket/a/campaign/y z"]
        store.pipe_file("bucket/a/campaign/y z", b"changed")
        with local_copy(url, writes=False, missing_ok=False) as folder:
            assert (folder / "y z").read_bytes() == b"changed"
    finally:
        server.stop()
