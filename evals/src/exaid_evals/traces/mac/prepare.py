"""What must be in place before MAC runs: every problem is found at once, and before anything is spent."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.ids import format_timestamp
from exaid_evals.clients.endpoint import Endpoint, endpoint_of
from exaid_evals.config.base import Problems
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.errors import ConfigError, DataError, MissingDependencyError
from exaid_evals.traces.mac.recording import recorded_cases, recorded_run
from exaid_evals.traces.mac.settings import MacSettings

AUTOGEN = ("pyautogen", "0.2.32")
_ENTRY = "main.py"

# What a run of MAC reads, by commit: for folders that are not checkouts, such as an unpacked archive.
_CONTENT = {
    "896a5deb4d6db7a2c872630a6638da4da3b0f4d4": {
        "dataset/rare_disease_302.json": "d9f4acfb291f300b2f73e20c66578f9fc7774d0e37d7a563440f1ac48c005b2c",
        "main.py": "94b0428bd01a6f6c27f0659491ce99696cdc0d082cf62eaa9015c4ad42dd0fac",
        "utils/__init__.py": "67cde486b77cd12f76906f15e011deeeef691750aae7b19ade095ed51d318053",
        "utils/data.py": "e78904212b64c2da882c8a019870e017440f5de6dae9ad8f6b0f311282fc9ce4",
        "utils/prompts.py": "b06563ebe0cd2889025f740e6f8d7736207cb3d108814e208d5d79ed0c96bf47",
        "utils/utils.py": "29b56e19799c1bee6da070db2a1afe022fc2a7a2949f53db460ae573cf1a6adb",
    }
}


def require_mac(mac_dir: Path | None, commit: str) -> Path:
    """Return MAC's folder if it is what the commit holds: by git where it is a checkout, else by its content.

    Raises:
        ConfigError: there is no MAC there, it is at another commit, or it was changed; says how to mend it.
    """
    place = str(mac_dir or "third_party/mac")
    if mac_dir is None or not (mac_dir / _ENTRY).is_file():
        remedy = (
            "initialise the submodule (`git submodule update --init third_party/mac`), or name a checkout of MAC "
            "with --mac-dir or EXAID_MAC_DIR"
        )
        raise ConfigError(f"no MAC here: {_ENTRY} is missing", where=place, remedy=remedy)
    mac_dir = mac_dir.resolve()
    if (mac_dir / ".git").exists() and shutil.which("git"):
        _require_commit(mac_dir, commit)
    else:
        _require_content(mac_dir, commit)
    return mac_dir


def require_autogen() -> None:
    """Check that the autogen that MAC is to run on is installed, in the version that is part of the protocol.

    Raises:
        MissingDependencyError: it is not, or another version is.
    """
    package, pinned = AUTOGEN
    try:
        found = version(package)
    except PackageNotFoundError:
        found = None
    if found != pinned:
        what = f"MAC runs on {package} {pinned}; {f'{found} is installed' if found else 'it is not installed'}"
        remedy = "install the extra: `pip install 'exaid-evals[live]'`, or `make setup` in a checkout"
        raise MissingDependencyError(what, where="make-traces", remedy=remedy)


def _require_commit(mac_dir: Path, commit: str) -> None:
    there = shlex.quote(str(mac_dir))
    head = _git(mac_dir, "rev-parse", "--verify", "HEAD").strip()
    if head != commit:
        raise ConfigError(
            f"MAC is at commit {head}, and {commit} is pinned",
            where=str(mac_dir),
            remedy=f"git -C {there} checkout --detach {commit}",
        )
    # Untracked files count: Python would import a module of ours that lies there before an installed one.
    changed = [line[3:] for line in _git(mac_dir, "status", "--porcelain").splitlines()]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise ConfigError(
            f"MAC differs from its commit {commit}: {', '.join(changed[:3])}{more}",
            where=str(mac_dir),
            remedy=f"git -C {there} stash --include-untracked",
        )


def _git(mac_dir: Path, *arguments: str) -> str:
    # A folder that another user owns is only read here, so git's distrust of it is lifted for this one call; what a
    # hostile folder could have git run (its file system monitor) is switched off, and the index is not rewritten.
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - a fixed command
        command, cwd=mac_dir, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["git failed"]
        raise ConfigError(
            f"git cannot tell MAC's commit ({lines[-1]:.200})",
            where=str(mac_dir),
            remedy="initialise the submodule again, or name another checkout with --mac-dir",
        )
    return done.stdout


def _require_content(mac_dir: Path, commit: str) -> None:
    content = _CONTENT.get(commit)
    if content is None:
        raise ConfigError(
            f"no git checkout, and the content of commit {commit} is not known to this release",
            where=str(mac_dir),
            remedy="name a git checkout of MAC with --mac-dir",
        )
    problems = []
    for name, expected in content.items():
        try:
            found = sha256_file(mac_dir / name).removeprefix("sha256:")
        except DataError as error:
            found = error.what
        if found != expected:
            problems.append(
                ConfigError(
                    f"{name} is not what commit {commit} holds: sha256 {found}, expected {expected}",
                    where=str(mac_dir),
                    remedy=f"take it from MAC's repository: `git checkout {commit} -- {name}`",
                )
            )
    if problems:
        raise ConfigError.of(problems)


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """What is to be made.

    Attributes:
        campaign: where.
        recording: where its calls are recorded; None where the cases are not known, and so nothing can be wanted.
        case_ids: the cases that will be asked for.
    """

    campaign: Campaign
    recording: Path | None
    case_ids: tuple[str, ...]


def prepare(
    generation: MasGenerationConfig,
    model: MacModelConfig,
    request: LiveRequest,
    *,
    mac_dir: Path | None,
    mac_is_here: bool = True,
    replay: bool,
    environment: Mapping[str, str] | None = None,
) -> MacSettings | None:
    """Check that MAC could run now.

    Args:
        generation: how the conversation is made.
        model: MAC's language model.
        request: what is to be made.
        mac_dir: MAC's folder.
        mac_is_here: whether it is worth looking at; that it is not has been reported already.
        replay: whether calls are answered from the recording alone, so that neither key nor network is needed.
        environment: where keys and base URLs stand; None takes the process's own.

    Returns:
        How MAC is run; None where the cases are not known.

    Raises:
        ConfigError: names everything that is missing: MAC at its commit, autogen, the key, or the recording.
        DataError: the recording is damaged, and nothing else is wrong.
    """
    problems = Problems()
    problems.checked(require_autogen)
    verified = problems.checked(lambda: require_mac(mac_dir, generation.mac.commit)) if mac_is_here else None
    endpoint: Endpoint | None = None
    if not replay:
        endpoint = endpoint_of(model.asked_of, environment)
        problems.checked(endpoint.check)
    elif request.recording is not None:
        problems.checked(lambda: _require_recorded(request))
    problems.require_none()
    if verified is None or request.recording is None:
        return None
    command = _live_run(request.campaign)
    return MacSettings(generation.mac, generation.live, model, verified, endpoint, request.recording, command)


def started_at(recording: Path, *, anew: bool) -> str:
    """Return when the generation began: as its recording says, else now.

    Args:
        recording: the recording of the generation, which need not exist.
        anew: whether the recording is about to be set aside.

    Raises:
        DataError: the recording is damaged.
    """
    run = None if anew else recorded_run(recording)
    return run.created_at if run else format_timestamp(datetime.now(UTC))


def decoding_note(model: MacModelConfig) -> str:
    """State how the model is sampled."""
    return f"temperature {model.temperature:g}, no cache; MAC as released, on {' '.join(AUTOGEN)}"


def _live_run(campaign: Campaign) -> str:
    return campaign.call("make-traces --llm openai")


def _require_recorded(request: LiveRequest) -> None:
    live = _live_run(request.campaign)
    remedy = f"replay with the configuration and cases that were recorded, or record them with {live}"
    recording = request.recording
    assert recording is not None  # noqa: S101 - for the type checker
    if not recording.exists():
        others = sorted(recording.parent.glob("mac-*.jsonl.gz"))
        here = f"; recorded are {', '.join(path.name for path in others)}" if others else ""
        what = f"nothing was recorded for these cases, model and commit{here}"
        raise ConfigError(what, where=str(recording), remedy=remedy)
    missing = sorted(set(request.case_ids) - recorded_cases(recording))
    if missing:
        more = ", …" if len(missing) > 3 else ""
        what = f"{len(missing)} cases were not recorded to their end: {', '.join(missing[:3])}{more}"
        raise ConfigError(what, where=str(recording), remedy=remedy)
