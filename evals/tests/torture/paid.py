"""A model that is paid: each answer is noted in a file beside the campaign, which no fault touches."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.clients.base import LLMRequest, LLMResponse, PlainClient, Usage
from servers.answers import default_answer
from servers.steps import Received

PAID = "TORTURE_PAID"


class PaidClient(PlainClient):
    """Answers as the scripted server does, and notes what it is asked."""

    name = "paid"
    model = "paid-1"
    stub = False
    parameters: dict[str, Any] = {}  # noqa: RUF012 - none

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer, for money."""
        messages = [{"role": one.role, "content": one.content} for one in request.messages]
        with Path(os.environ[PAID]).open("a", encoding="utf-8") as bill:
            bill.write(f"{sha256_structure(messages)}\n")
        text = default_answer(Received({"messages": messages}, {}, "/", 0.0))
        return LLMResponse(text, Usage(1, request.prompt_ctu, len(text) // 4), 250)


def build(config: Any, **_others: Any) -> PaidClient:  # noqa: ARG001 - as the registry asks
    """Build the client; `--llm torture.paid:build`."""
    return PaidClient()


def paid(bill: Path) -> Counter[str]:
    """Return how often each request was paid."""
    return Counter(bill.read_text(encoding="utf-8").split()) if bill.exists() else Counter()
