"""An LLM client of one's own: `llm: {client: "echo_client:build"}` in summarizer.yaml makes the pipeline use it.

This one says yes to every filter and puts the prompt's last line into every field; a real one would call a server.
"""

import json

from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import LLMResponse, PlainClient, Usage


class EchoClient(PlainClient):
    """Name, model, parameters and whether it is a stub are written into every run log."""

    name, stub, parameters = "echo", True, {}

    def __init__(self, model):
        self.model = model

    def complete(self, request):
        """Answer a request of the task `trigger` or `summary` with JSON that fits `request.response_schema`."""
        last = request.messages[-1].content.strip().splitlines()[-1][:300]
        text = json.dumps(dict.fromkeys(request.response_schema["properties"], request.task == "trigger" or last))
        return LLMResponse(text, Usage(1, request.prompt_ctu, ctu(text)), latency_ms=100)


def build(config, **_concepts):
    """Return the client; `config` is the whole of summarizer.yaml, `_concepts` a reader of concepts for stubs."""
    return EchoClient(config.llm.model)
