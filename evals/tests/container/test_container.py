"""The handbook's container commands, run as a reader would type them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import Checkout

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]

OFFLINE = ("--network", "none", "--env", "EXAID_STUB_MODE=1")
NO_NETWORK = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=5)
except OSError as error:
    print(error.strerror)
"""


def docker_run(image: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `docker run --rm …`, which must succeed."""
    done = subprocess.run(
        ["docker", "run", "--rm", *arguments[:-1], image, "-c", arguments[-1]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def content_hashes(data: Path) -> dict[str, str]:
    """Return the hash of every file's content: a .gz unpacked, a PNG by its pixels."""
    return {
        path.relative_to(data).as_posix(): hashlib.sha256(_content(path)).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != ".gitkeep"
    }


def _content(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".png":
        from matplotlib.image import imread

        return imread(path).tobytes()
    return path.read_bytes()


def test_python_and_spacy_are_the_papers(checkout: Checkout) -> None:
    """The documented one-liner prints Python 3.12 and spaCy 3.7.4."""
    done = checkout.evals("-c", "python --version && python -c 'import spacy; print(spacy.__version__)'")
    python, spacy = done.stdout.split("\n")[:2]
    assert python.startswith("Python 3.12.")
    assert spacy == "3.7.4"


def test_stages_write_files_of_the_checkouts_owner(checkout: Checkout, owner: int) -> None:
    """The five scripts, or all of them in one command for root, succeed; every file is the checkout's owner's."""
    stub = ("-e", "EXAID_STUB_MODE=1")
    if owner == 0:
        checkout.evals("exaid-evals", "reproduce", "--limit", "2", options=stub)
    else:
        assert "scaffold mode" in checkout.evals("scripts/00_validate.sh").stdout
        checkout.evals("scripts/01_make_traces.sh", "--limit", "2", options=stub)
        checkout.evals("scripts/02_run_variants.sh", "V3", options=stub)
        assert [folder.name for folder in (checkout.data / "runs").iterdir()] == ["V3"]
        checkout.evals("scripts/02_run_variants.sh", options=stub)
        checkout.evals("scripts/03_compute_metrics.sh", options=stub)
        checkout.evals("scripts/04_eval_export.sh", options=stub)
        checkout.evals("scripts/00_validate.sh")

    written = [path for path in checkout.data.rglob("*") if path.name != ".gitkeep"]
    assert {path.parent.name for path in written} >= {"traces", "V0", "V4", "tables", "figures", "exports"}
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in written}
    assert owners == {(owner, checkout.data.stat().st_gid)}


def test_no_argument_opens_a_shell_without_privileges(checkout: Checkout, owner: int) -> None:
    """`run --rm evals` is bash; its user is the checkout's owner, has no capability and can write to HOME."""
    shell = checkout.compose(
        "run", "--rm", "-T", "evals", stdin='id -u; grep CapEff /proc/self/status; touch "$HOME/x" && pwd\n'
    )
    assert shell.stdout.split() == [str(owner), "CapEff:", "0000000000000000", "/app/evals"]


def test_the_image_alone_runs_as_an_ordinary_user(image: str) -> None:
    """With nothing mounted there is no owner to follow, and no root either."""
    assert docker_run(image, "id -un").stdout.strip() == "exaid"


def test_any_user_can_run_the_image_without_a_network(image: str) -> None:
    """Under `--user`, as on platforms that choose it, and where a connection is shown to fail: the pipeline runs."""
    pipeline = "exaid-evals reproduce --limit 2 && ls data/metrics/tables && id -u"
    commands = f"python -c '{NO_NETWORK}' && touch \"$HOME/x\" && {pipeline}"
    done = docker_run(image, *OFFLINE, "--user", "4321", commands)
    assert done.stdout.startswith("Network is unreachable")
    assert "main.csv" in done.stdout
    assert done.stdout.split()[-1] == "4321"


def test_container_and_host_write_the_same_bytes(checkout: Checkout, tmp_path: Path) -> None:
    """A stub run of three cases leaves the same files with the same content in container and host."""
    host = tmp_path / "data"  # by that name, since an export names a run after its folder
    subprocess.run(
        [sys.executable, "-m", "exaid_evals", "reproduce", "--limit", "3"],
        env={**os.environ, "EXAID_STUB_MODE": "1", "EXAID_DATA_DIR": str(host)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    checkout.evals("exaid-evals", "reproduce", "--limit", "3", options=("-e", "EXAID_STUB_MODE=1"))
    assert content_hashes(checkout.data) == content_hashes(host)


def test_mounted_configuration_wins(checkout: Checkout) -> None:
    """An edit of evals/configs is what the container reads, without a new build."""
    (checkout.path / "evals/configs/dataset.yaml").write_text("no_such_key: 1\n", encoding="utf-8")
    done = checkout.compose("run", "--rm", "-e", "EXAID_STUB_MODE=1", "evals", "scripts/01_make_traces.sh")
    assert done.returncode == 2
    assert "no_such_key" in done.stderr


def test_mac_is_mounted_from_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    """EXAID_MAC_DIR on the host is where the container's MAC comes from."""
    dataset = tmp_path / "mac" / "dataset" / "rare_disease_302.json"
    dataset.parent.mkdir(parents=True)
    dataset.write_text(json.dumps({"Cases": []}), encoding="utf-8")
    read = ("run", "--rm", "evals", "-c", "cat /app/third_party/mac/dataset/*")
    done = checkout.compose(*read, environment={"EXAID_MAC_DIR": "../mac"})
    assert json.loads(done.stdout) == {"Cases": []}


def test_a_missing_data_folder_is_not_made_by_the_engine(checkout: Checkout) -> None:
    """The engine would make it as root, and shut the owner out; it is refused by name instead."""
    (checkout.data / ".gitkeep").unlink()
    checkout.data.rmdir()
    done = checkout.compose("run", "--rm", "evals", "scripts/00_validate.sh")
    assert done.returncode != 0
    assert "evals/data" in done.stderr
    assert not checkout.data.exists()
