"""Makes the files beside it with the tools themselves: a small conversation of three agents, exported by each.

    python -m venv /tmp/tools && /tmp/tools/bin/pip install langchain-core langgraph 'openai<2' pyautogen==0.2.32 \
        opentelemetry-sdk opentelemetry-exporter-otlp-proto-common opentelemetry-instrumentation-openai-v2
    PYTHONPATH=evals/src:evals/tests /tmp/tools/bin/python evals/tests/gold/exports/make.py

Ids, times and durations are those of the day on which it is run; `README.md` says what made the files that are here.
The answers come from the scripted server of `evals/tests/servers`, on loopback.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

FOLDER = Path(__file__).resolve().parent
OPENING = "A 34-year-old woman with recurrent fever of 39.5 °C and splenomegaly."
DOCTOR0 = "I favour Gaucher disease; the spleen points to storage. We should order a β-glucosidase assay."
DOCTOR1 = "Lymphoma must be excluded first: biopsy of the node."
CLOSING = "Both tests are ordered. TERMINATE"


def write(name: str, value: Any) -> None:
    """Write JSON as a user would."""
    (FOLDER / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def langchain() -> None:
    """Export messages in LangChain's three forms: `dumps`, `messages_to_dict`, and pydantic's own."""
    from langchain_core.load import dumpd
    from langchain_core.messages import AIMessage, HumanMessage, messages_to_dict

    said: Sequence[Any] = [
        HumanMessage(OPENING, name="supervisor", id="m-0"),
        AIMessage(
            DOCTOR0,
            name="doctor0",
            id="m-1",
            usage_metadata={"input_tokens": 20, "output_tokens": 24, "total_tokens": 44},
        ),
        AIMessage(
            DOCTOR1,
            name="doctor1",
            id="m-2",
            response_metadata={"token_usage": {"completion_tokens": 13}, "finish_reason": "stop"},
        ),
        AIMessage([{"type": "text", "text": CLOSING}], name="supervisor", id="m-3"),
    ]
    write("langchain_dumpd.json", dumpd(list(said)))
    write("langchain_messages_to_dict.json", messages_to_dict(said))
    write("langchain_model_dump.json", [message.model_dump(mode="json") for message in said])


def langgraph() -> None:
    """Run a graph of three agents with a checkpointer, and export the state of its thread."""
    from langchain_core.load import dumpd
    from langchain_core.messages import AIMessage, HumanMessage
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.graph.message import add_messages

    # As a class its annotation would be text, which is read where `add_messages` is not known.
    State = TypedDict("State", {"messages": Annotated[list[Any], add_messages]})  # noqa: UP013

    def agent(name: str, text: str) -> Callable[[Any], dict[str, Any]]:
        return lambda _state: {"messages": [AIMessage(text, name=name)]}

    graph = StateGraph(State)
    messages = (("doctor0", DOCTOR0), ("doctor1", DOCTOR1), ("supervisor", CLOSING))
    for name, text in messages:
        graph.add_node(name, agent(name, text))
    names = [START, *(name for name, _ in messages), END]
    for before, after in itertools.pairwise(names):
        graph.add_edge(before, after)
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "case-graph1"}}
    compiled.invoke({"messages": [HumanMessage(OPENING, name="supervisor")]}, config)
    state = compiled.get_state(config)
    # As its own server gives a thread's state: the snapshot's fields, messages as pydantic dumps them.
    write(
        "langgraph_state.json",
        {
            "values": {"messages": [message.model_dump(mode="json") for message in state.values["messages"]]},
            "next": list(state.next),
            "config": state.config,
            "metadata": state.metadata,
            "created_at": state.created_at,
        },
    )
    write("langgraph_values_dumpd.json", dumpd(state.values))


def opentelemetry(form: str, **environment: str) -> None:
    """Ask a model through OpenAI's client, instrumented, and export the spans as OTLP/JSON."""
    import openai
    from google.protobuf.json_format import MessageToDict
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from servers.openai_server import Answer, OpenAIServer

    os.environ.update(environment)
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    tracer = trace.get_tracer("example", tracer_provider=provider)
    with OpenAIServer([Answer(DOCTOR0), Answer(DOCTOR1)]) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="none")
        messages: list[Any] = [
            {"role": "system", "content": "You are a physician."},
            {"role": "user", "content": OPENING},
        ]
        conversation = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.conversation.id": "case-otel1"}
        with tracer.start_as_current_span("discussion", attributes=conversation):
            for name in ("doctor0", "doctor1"):
                agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name}
                with tracer.start_as_current_span(f"invoke_agent {name}", attributes=agent):
                    said = client.chat.completions.create(model="gpt-4o-mini", messages=messages)
                messages.append({"role": "assistant", "content": said.choices[0].message.content, "name": name})
    OpenAIInstrumentor().uninstrument()
    write(f"otel_{form}.json", MessageToDict(encode_spans(exporter.get_finished_spans())))


def autogen() -> None:
    """Let AutoGen's own group chat talk, and write its history as MAC does."""
    from autogen import AssistantAgent, GroupChat, GroupChatManager

    from servers.openai_server import Answer, OpenAIServer

    with OpenAIServer([Answer(DOCTOR0), Answer(DOCTOR1), Answer(CLOSING)]) as server:
        service = {"model": "gpt-4o-mini", "api_key": "none", "base_url": server.base_url}
        model = {"cache_seed": None, "config_list": [service]}
        doctors = [AssistantAgent(f"Doctor{number}", llm_config=model) for number in range(2)]
        supervisor = AssistantAgent("Supervisor", llm_config=model)
        chat = GroupChat([*doctors, supervisor], [], max_round=4, speaker_selection_method="round_robin")
        manager = GroupChatManager(chat, llm_config=model)
        result = supervisor.initiate_chat(manager, message=OPENING)
    write("autogen_chat_history.json", result.chat_history)


def main() -> None:
    """Make every file whose tool is installed."""
    made = {
        "langchain": langchain,
        "langgraph": langgraph,
        "otel": lambda: opentelemetry(
            "span_attributes",
            OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental",
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="SPAN_ONLY",
        ),
        "autogen": autogen,
    }
    for name in sys.argv[1:] or made:
        made[name]()
    for package in ("langchain-core", "langgraph", "opentelemetry-instrumentation-openai-v2", "pyautogen"):
        try:
            print(package, importlib.metadata.version(package))  # noqa: T201 - a script's report
        except importlib.metadata.PackageNotFoundError:
            print(package, "is not installed")  # noqa: T201


if __name__ == "__main__":
    main()
