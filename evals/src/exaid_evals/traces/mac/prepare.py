"""What must be in place before MAC runs: every problem is found at once, and before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from exaid_evals.artifacts.timestamps import format_timestamp
from exaid_evals.clients.endpoint import Endpoint, endpoint_of
from exaid_evals.config.base import Problems
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.errors import ConfigError
from exaid_evals.traces.mac.checkout import AUTOGEN, require_autogen, require_mac
from exaid_evals.traces.mac.recording import recorded_cases, recorded_run
from exaid_evals.traces.mac.source import MacSettings


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
        mac_is_here: whether it is worth looking at; that it is not has been told already.
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
