"""The stub model: deterministic, extractive, within its limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import read_words
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import ChatMessage, LLMRequest
from exaid_evals.clients.registry import build_client
from exaid_evals.clients.stub import shorten, split_sentences
from exaid_evals.config.variant import SummarizerConfig
from exaid_evals.middleware.summarizers import SummaryInput, parse_summary, summary_request
from exaid_evals.middleware.triggers import FILTERS, TriggerInput, trigger_request

CLIENT = build_client(SummarizerConfig(), read_concepts=read_words, reader_id="words-1")


def summarize(*turns: tuple[str, str], history: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the stub's six fields."""
    content, error = parse_summary(CLIENT.complete(summary_request(SummaryInput(turns, history))).text)
    assert error is None
    assert content is not None
    return dict(content)


def decide(window: str, *history: str, final: bool = False) -> dict[str, bool]:
    """Return the stub's answers to the three filters."""
    request = trigger_request(TriggerInput([("doctor0", window)], history, final), FILTERS)
    answers: dict[str, bool] = json.loads(CLIENT.complete(request).text)
    return answers


words = st.sampled_from(
    ["fever", "FEVER", "RASH", "likely", "recommend", "MRI", "the", "unclear.", "x" * 90, "1.", "\n"]
)


@given(turns=st.lists(st.tuples(st.sampled_from(["doctor0", "doctor1"]), st.lists(words, max_size=60)), max_size=4))
def test_every_summary_fits_the_schema_and_stands_in_the_window(turns: list[tuple[str, list[str]]]) -> None:
    """Whatever the window, the six fields fit, and each word of five of them was said in it."""
    window = [(agent, " ".join(said)) for agent, said in turns]
    content = summarize(*window)
    said = {word for _, text in window for sentence in split_sentences(text) for word in sentence.split()}
    del content["agent_contributions"]
    for text in content.values():
        if text != "None stated.":
            assert {word.rstrip("…") for word in text.split()} <= said


def test_sentences_are_chosen_by_new_concepts_per_ctu() -> None:
    """Of two sentences that state the same, the shorter one is kept; one that states nothing new is not."""
    content = summarize(("doctor0", "FEVER and RASH were then seen once more in him. FEVER and RASH. Nothing else."))
    assert content["key_findings"] == "FEVER and RASH."


def test_what_the_history_states_is_not_repeated() -> None:
    """A concept of an earlier update earns a sentence nothing."""
    content = summarize(("doctor0", "FEVER was seen. RASH was seen."), history=("FEVER",))
    assert content["key_findings"] == "RASH was seen."


def test_sentences_find_their_fields() -> None:
    """Cue words send a sentence to the field that a reader would look for it in."""
    said = (
        "A boy presented with FEVER. RASH on both arms. This is consistent with MEASLES. "
        "However, KAWASAKI cannot be excluded. We recommend SEROLOGY."
    )
    assert summarize(("doctor0", said), ("doctor1", "Yes.")) == {
        "status_action": "A boy presented with FEVER.",
        "key_findings": "RASH on both arms.",
        "differential_rationale": "This is consistent with MEASLES.",
        "uncertainty_confidence": "However, KAWASAKI cannot be excluded.",
        "recommendation_next_step": "We recommend SEROLOGY.",
        "agent_contributions": "doctor0: 5 statements; doctor1: 1 statement",
    }


@pytest.mark.parametrize(
    ("window", "history", "final", "expected"),
    [
        ("FEVER was seen.", (), False, (True, True, True)),
        ("FEVER was", (), False, (False, True, True)),
        ("FEVER was", (), True, (True, True, True)),
        ("FEVER:\n", (), False, (True, True, True)),
        ("I agree.", (), False, (True, False, False)),
        ("FEVER again.", ("RASH", "FEVER"), False, (True, True, False)),
    ],
)
def test_the_triggers_rules(window: str, history: tuple[str, ...], final: bool, expected: tuple[bool, ...]) -> None:
    """Complete: ends a thought, or nothing follows; of value: states a concept; novel: one not in the history."""
    answers = decide(window, *history, final=final)
    assert tuple(answers[name] for name in FILTERS) == expected


def test_latency_and_usage_are_those_of_the_prompt_and_the_answer() -> None:
    """Usage counts CTU of what was sent and returned; latency is base + per CTU of both, as configured."""
    request = trigger_request(TriggerInput([("doctor0", "FEVER.")], (), final=False), FILTERS)
    response = CLIENT.complete(request)
    assert response.usage.prompt_ctu == sum(ctu(message.content) for message in request.messages)
    assert response.usage.completion_ctu == ctu(response.text)
    latency = SummarizerConfig().stub.latency
    expected = (
        latency.base_ms
        + latency.per_prompt_ctu_ms * response.usage.prompt_ctu
        + latency.per_completion_ctu_ms * response.usage.completion_ctu
    )
    assert response.latency_ms == round(expected)


def test_a_task_it_does_not_know_is_an_error() -> None:
    """The stub answers no request that it was not built for."""
    with pytest.raises(KeyError):
        CLIENT.complete(LLMRequest("poem", (ChatMessage("user", "?"),), {}))


def test_the_reader_is_part_of_the_clients_parameters() -> None:
    """What the stub reads with determines its answers, so the run log and its hash name it."""
    assert CLIENT.parameters["reader"] == "words-1"


@given(text=st.text(alphabet="abc ,;", max_size=120), limit=st.integers(8, 60))
def test_shortening_keeps_a_prefix_within_the_limit(text: str, limit: int) -> None:
    """A shortened sentence is no longer than allowed and, without its ellipsis, a prefix."""
    short = shorten(text, limit)
    assert len(short) <= limit
    assert text.startswith(short.rstrip("…"))
