"""The service on loopback that stands between MAC and its model."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exaid_evals.traces.mac.calls import CaseCalls, Reply, Session
from exaid_evals.traces.mac.proxy import Address, Proxy
from exaid_evals.traces.mac.recording import RecordedRun, Recording
from traces.mac.conftest import eventually

BODY = b'{"model":"m"}'
ANSWER = b'{"choices":[1]}'
RUN = RecordedRun("mas-0123456789abcdef", "2024-12-19T12:00:00Z", "0" * 40, "m")


class Slow:
    """A service that takes half a second, and counts."""

    n = 0

    def __call__(self, _body: bytes) -> Reply:
        self.n += 1
        time.sleep(0.5)
        return Reply(200, ANSWER)


@pytest.fixture
def slow() -> Slow:
    """Return a service."""
    return Slow()


@pytest.fixture
def address(tmp_path: Path, slow: Slow) -> Iterator[Address]:
    """Return the address that MAC is given."""
    with (
        Recording(tmp_path / "r.jsonl.gz", RUN) as recording,
        Proxy() as proxy,
        proxy.serving(Session(CaseCalls("case-1", recording, slow))) as given,
    ):
        yield given


def ask(address: Address, password: str, path: str = "/chat/completions") -> httpx.Response:
    """Ask as MAC's client does."""
    headers = {"Authorization": f"Bearer {password}"}
    return httpx.post(f"{address.base_url}{path}", content=BODY, headers=headers, trust_env=False)


def test_impatient_client_is_given_the_answer_that_was_paid_for(address: Address, slow: Slow) -> None:
    """When a client hangs up and asks again, the answer under way is waited for, and no second call is made."""
    host, port = address.base_url.split("/")[2].split(":")
    lines = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(BODY)}\r\n"
    lines += f"Authorization: Bearer {address.password}\r\n\r\n"
    with socket.create_connection((host, int(port))) as impatient:
        impatient.sendall(lines.encode() + BODY)
        eventually(lambda: slow.n == 1, "the service is not asked")
    for n_calls in (1, 2):  # the answer that was lost; and, asked once more, a new one
        assert ask(address, address.password).content == ANSWER
        assert slow.n == n_calls


@pytest.mark.parametrize("password", ["none", "guess"])
def test_nobody_else_can_spend_anything(address: Address, slow: Slow, password: str) -> None:
    """The port answers to the password of a try that is under way, and to nothing else."""
    assert ask(address, password).status_code == 404
    assert slow.n == 0


def test_nothing_but_chat_is_forwarded(address: Address, slow: Slow) -> None:
    """Another path of the service, which might cost or tell something else, is not there."""
    assert ask(address, address.password, "/files").status_code == 404
    assert slow.n == 0
