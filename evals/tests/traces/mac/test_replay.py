"""Recording and replay of MAC's calls: the same bytes without network, and no call paid for twice."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import MacModelConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.traces.generate import make_traces
from folders import contents
from traces.mac.conftest import eventually
from traces.mac.harness import (
    CASES,
    Checkout,
    about,
    children,
    command_line,
    cue,
    environment,
    made,
    planned,
    replayed,
    said,
)
from traces.mac.provider import Asked, Provider, Says, conversation


def test_replay_gives_the_same_bytes(tmp_path: Path, mac: Checkout) -> None:
    """Without key and network, in another campaign and with other jobs, every file is the same, times included."""
    with Provider(cue("case-1003", 4, "<<no report>>")) as provider:
        made(tmp_path / "live", mac, provider.base_url, jobs=1)
    replayed(tmp_path / "replay", tmp_path / "live", mac, jobs=3)
    assert contents(tmp_path / "replay") == contents(tmp_path / "live")


def test_replay_of_a_failed_case(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """A failure is replayed from its record: a crash is not to be had again."""
    provider.script = cue("case-1003", 3, "<<crash>>")
    live = made(tmp_path / "live", mac, provider.base_url)
    assert replayed(tmp_path / "replay", tmp_path / "live", mac).failed == live.failed
    assert contents(tmp_path / "replay") == contents(tmp_path / "live")


def test_replay_of_another_conversation_names_the_difference(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """A request that was not recorded is an error that names case and field; nothing is frozen or asked."""
    made(tmp_path / "live", mac, provider.base_url, cases=("case-1002",))
    n_asked = len(provider.asked)
    (tmp_path / "other").mkdir()
    shutil.copytree(tmp_path / "live" / "cassettes", tmp_path / "other" / "cassettes")
    plan = planned(tmp_path / "other", mac, cases=("case-1002",), key="", llm="replay")
    assert plan.live is not None
    warmer = replace(plan.live, model=MacModelConfig(temperature=0.5))
    with pytest.raises(DataError, match=r"case-1002: .*parameters\.temperature: 1 was recorded, 0\.5 is asked"):
        make_traces(replace(plan, live=warmer))
    assert not Campaign(tmp_path / "other").manifest_file.exists()
    assert len(provider.asked) == n_asked


def test_replay_without_a_recording(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """What is missing is said before any work, with what is there instead."""
    made(tmp_path, mac, provider.base_url, cases=("case-1002",))
    with pytest.raises(ConfigError, match=r"nothing was recorded for these cases.*recorded are mac-mas-"):
        made(tmp_path, mac, cases=("case-1003",), key="", llm="replay", force=True)


def test_latency_of_recorded_answers_counts(tmp_path: Path, mac: Checkout) -> None:
    """A conversation that failed half-way and was gone on with lasts as long as one that did not."""

    def script(asked: Asked, before: int) -> Says:
        if asked.n_said == 4 and before < 2:  # both questions of MAC's client in the first try
            return Says("busy", status=503)
        return Says(conversation(asked, before).content, delay_s=0.25)

    with Provider(script) as provider:
        made(tmp_path, mac, provider.base_url, cases=("case-1002",))
    times = [record["end_t_rel_ms"] for record in read_jsonl(Campaign(tmp_path).trace_file("case-1002"))]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) > 4
    assert min(gaps) >= 240


@pytest.mark.parametrize(
    "how",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_interrupted_stage_goes_on(tmp_path: Path, mac: Checkout, provider: Provider, how: signal.Signals) -> None:
    """Stopped at random points, the same command goes on; only what was under way at a stop is asked again."""
    rng = random.Random(how)  # noqa: S311 - not for secrets
    stops = [rng.randint(2, 8), rng.randint(14, 20)]
    running: list[subprocess.Popen[bytes]] = []
    one_at_a_time = threading.Lock()  # two cases ask at once, and one stop must not use up both

    def script(asked: Asked, before: int) -> Says:
        with one_at_a_time:
            stop = bool(stops) and len(provider.asked) > stops[0]
            if stop:
                stops.pop(0)
                running[-1].send_signal(how)
        return Says("lost", status=500, delay_s=0.5) if stop else conversation(asked, before)

    provider.script = script
    command = command_line(tmp_path, mac, "-j", "2", "--data-dir", str(tmp_path / "data"))
    statuses = []
    for _ in range(3):
        running.append(subprocess.Popen(command, env=environment(provider), stderr=subprocess.PIPE))
        _, err = running[-1].communicate(timeout=60)
        statuses.append(running[-1].returncode)
        assert statuses[-1] in (0, 130, -how), err
        eventually(lambda: children(mac) == [], "a process of MAC's outlives the stage")
    assert (0 in statuses[:2], statuses[2]) == (False, 0)
    # At each of two stops, each of two jobs may have had a question on its way.
    assert provider.n_repeated <= 4
    provider.script = conversation
    made(tmp_path / "straight", mac, provider.base_url)
    for case_id in CASES:
        assert said(tmp_path / "data", case_id) == said(tmp_path / "straight", case_id)
    # And what was pieced together replays like any other.
    replayed(tmp_path / "replay", tmp_path / "data", mac)
    name = "manifests/dataset_manifest.jsonl"
    frozen = json.loads((tmp_path / "data" / name).read_text(encoding="utf-8"))
    again = json.loads((tmp_path / "replay" / name).read_text(encoding="utf-8"))
    assert (again["traces"], again["created_at"]) == (frozen["traces"], frozen["created_at"])


def test_only_loopback_is_asked(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """A proxy in the environment does not see what goes on between MAC's process and this one."""
    command = command_line(tmp_path, mac, "--data-dir", str(tmp_path / "data"), "--limit", "1")
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    # The provider, too, lies on loopback here, and is not a matter for a proxy.
    settings = environment(provider, **proxies, NO_PROXY="127.0.0.1", no_proxy="127.0.0.1")
    subprocess.run(command, env=settings, check=True, capture_output=True)
    assert about(provider.asked[0]) == "case-1002"
