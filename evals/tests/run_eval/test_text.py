"""Loss per token and perplexity over the whole set."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - PyTorch decides whether this file is read on
from hypothesis import strategies as st  # noqa: E402

from exaid_evals.errors import DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    TransformersCausalLMAdapter,
    evaluate,
    run_eval,
)
from small_torch import Echo, config_of, text_spec  # noqa: E402

IGNORED = -100
ADAPTER = CausalLMAdapter()


def random_text(n: int, length: int, vocabulary: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random logits and next tokens, about a third of them padding."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, length, vocabulary, generator=generator)
    targets = torch.randint(vocabulary, (n, length), generator=generator)
    targets[torch.rand(n, length, generator=generator) < 0.3] = IGNORED
    return logits, targets


def test_perplexity_by_hand() -> None:
    """Two tokens of probability 1/2, one of 1/8: perplexity is the geometric mean of 2, 2 and 8, however batched.

    The mean of the batches' losses would be (log 2 + log 8)/2, another number.
    """
    half, eighth = [0.0, 0.0], [0.0, math.log(7)]
    logits = torch.tensor([[half, half], [eighth, eighth]])
    targets = torch.tensor([[0, 1], [0, IGNORED]])
    expected = (2 * 2 * 8) ** (1 / 3)
    for batches in ([(logits, targets)], [(logits[:1], targets[:1]), (logits[1:], targets[1:])]):
        found = run_eval(Echo(), ADAPTER, config_of(batches), text_spec(vocab_size=2))
        assert set(found) == {"loss", "perplexity"}
        assert found["perplexity"] == pytest.approx(expected, abs=1e-6)
        assert found["loss"] == pytest.approx(math.log(expected), abs=1e-6)


@pytest.mark.parametrize("size", [1, 4, 7, 23])
def test_it_agrees_with_torchmetrics(size: int) -> None:
    """Oracle: torchmetrics' Perplexity with ignore_index, on random tokens with padding, to 1e-6 relative."""
    from torchmetrics.text import Perplexity

    logits, targets = random_text(23, 11, 17)
    oracle = Perplexity(ignore_index=IGNORED)
    oracle.update(logits, targets)
    batches = list(zip(logits.split(size), targets.split(size), strict=True))
    found = run_eval(Echo(), ADAPTER, config_of(batches), text_spec(vocab_size=17))
    assert found["perplexity"] == pytest.approx(float(oracle.compute()), rel=1e-6)


def test_an_adapter_that_gives_the_mean_loss_alone_is_weighted_by_tokens() -> None:
    """Only `forward` and `compute_loss` are required; what a mean is of is seen where PyTorch's losses take it.

    A loss of one's own has no interval, and the same mean.
    """

    class Bare:
        def forward(self, model, batch, task_spec):  # type: ignore[no-untyped-def]
            return model(batch[0])

        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.nn.functional.cross_entropy(outputs.flatten(0, 1), batch[1].flatten())

    logits, targets = random_text(23, 11, 17)
    batches = list(zip(logits.split(5), targets.split(5), strict=True))

    class Own(Bare):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            kept = batch[1] != IGNORED
            return -outputs.log_softmax(dim=2)[kept].gather(1, batch[1][kept][:, None]).mean()

    bare = evaluate(Echo(), Own(), config_of(batches, intervals=True), text_spec())
    seen = evaluate(Echo(), Bare(), config_of(batches, intervals=True), text_spec())
    full = evaluate(Echo(), ADAPTER, config_of(batches, intervals=True), text_spec())
    assert bare.metrics == pytest.approx(full.metrics, rel=1e-6)
    assert seen.flat() == pytest.approx(full.flat(), rel=1e-9)
    assert bare.intervals == {"loss": None, "perplexity": None}
    low, high = full.intervals["perplexity"] or (0, 0)
    assert low < full.metrics["perplexity"] < high


def test_a_batch_of_padding_counts_for_nothing() -> None:
    """Its mean loss is NaN, and it has no token; counted are its ignored positions."""
    logits, targets = random_text(4, 5, 7)
    padding = (torch.zeros(2, 5, 7), torch.full((2, 5), IGNORED))
    with_padding = evaluate(Echo(), ADAPTER, config_of([(logits, targets), padding]), text_spec())
    without = evaluate(Echo(), ADAPTER, config_of([(logits, targets)]), text_spec())
    assert with_padding.metrics == without.metrics
    assert with_padding.details["n_ignored"] == without.details["n_ignored"] + 10
    with pytest.raises(DataError, match="no token counts: all are padding"):
        run_eval(Echo(), ADAPTER, config_of([padding]), text_spec())


class Positioned(torch.nn.Module):
    """A causal model whose scores depend on all tokens before, and on their positions; called as transformers' are."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.tokens = torch.nn.Parameter(torch.randn(9, 9, generator=generator))
        self.positions = torch.nn.Parameter(torch.randn(16, 9, generator=generator))

    def forward(self, input_ids, attention_mask=None, position_ids=None):  # type: ignore[no-untyped-def]
        """Return logits of the mean of what stands before, padding left out."""
        positions = torch.arange(input_ids.shape[1])[None] if position_ids is None else position_ids
        seen = (self.tokens[input_ids] + self.positions[positions]) * attention_mask[:, :, None]
        logits = seen.cumsum(1) / attention_mask.cumsum(1).clamp(min=1)[:, :, None]
        return SimpleNamespace(logits=logits)


def padded(texts: list[list[int]], side: str) -> dict[str, torch.Tensor]:
    """Return a batch as a tokenizer makes it."""
    length = max(map(len, texts))
    rows = {"input_ids": [], "attention_mask": []}  # type: ignore[var-annotated]
    for text in texts:
        padding = [0] * (length - len(text))
        mask = [1] * len(text)
        rows["input_ids"].append(padding + text if side == "left" else text + padding)
        rows["attention_mask"].append(padding + mask if side == "left" else mask + padding)
    return {name: torch.tensor(values) for name, values in rows.items()}


@given(
    st.lists(st.lists(st.integers(0, 8), min_size=1, max_size=12), min_size=1, max_size=6),
    st.sampled_from(["left", "right"]),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_padding_side_batch_size_and_order_change_nothing(
    texts: list[list[int]], side: str, size: int, rng: random.Random
) -> None:
    """Every text counts its tokens but the first, each scored from the tokens before it in that text alone."""
    model = Positioned()
    losses = []
    for text in texts:
        logits = model(**padded([text], "right")).logits[0, :-1].double().log_softmax(1)
        losses += [-float(logits[at, token]) for at, token in enumerate(text[1:])]
    shuffled = rng.sample(texts, len(texts))
    batches = [padded(shuffled[start : start + size], side) for start in range(0, len(texts), size)]
    for adapter in (ADAPTER, TransformersCausalLMAdapter()):
        config = config_of(batches)
        if not losses:
            with pytest.raises(DataError, match="no token counts"):
                run_eval(model, adapter, config, text_spec())
            continue
        result = evaluate(model, adapter, config, text_spec())
        assert result.details["n_tokens"] == len(losses)
        assert result.metrics["loss"] == pytest.approx(sum(losses) / len(losses), abs=1e-5)


def test_what_a_batch_says_beside_its_tokens_reaches_the_model() -> None:
    """Positions and types of tokens as given, where the model takes them; to one that takes none of them, nothing."""
    seen = []

    class Taking(torch.nn.Module):
        def forward(self, input_ids, attention_mask=None, position_ids=None, token_type_ids=None):  # type: ignore[no-untyped-def]
            seen.append((position_ids, token_type_ids))
            return torch.zeros(*input_ids.shape, 5)

    tokens = torch.tensor([[1, 2, 3]])
    batch = {"input_ids": tokens, "position_ids": tokens + 4, "token_type_ids": tokens * 0}
    for adapter in (ADAPTER, TransformersCausalLMAdapter()):
        run_eval(Taking(), adapter, config_of([batch]), text_spec())
    assert all(positions is not None and types is not None for positions, types in seen)
    run_eval(torch.nn.Embedding(5, 5), ADAPTER, config_of([batch]), text_spec())


def test_padding_is_what_the_task_says() -> None:
    """Another ignore_index is honoured, and the usual one is then a wrong label."""
    logits, targets = random_text(4, 5, 7)
    zeros = targets.clone()
    zeros[targets == IGNORED] = 0
    found = evaluate(Echo(), ADAPTER, config_of([(logits, zeros)]), text_spec(ignore_index=0))
    assert found.details["n_tokens"] == int((zeros != 0).sum())
    with pytest.raises(DataError, match="outside the 7 classes"):
        run_eval(Echo(), ADAPTER, config_of([(logits, targets)]), text_spec(ignore_index=0))


@pytest.mark.parametrize(
    ("logits", "targets", "said"),
    [
        (torch.zeros(2, 7), torch.zeros(2, 5, dtype=torch.long), r"not \(N, T, V\) and \(N, T\)"),
        (torch.zeros(2, 5, 7), torch.zeros(2, 4, dtype=torch.long), r"not \(N, T, V\)"),
        (torch.zeros(2, 5, 8), torch.zeros(2, 5, dtype=torch.long), "the model has 8 outputs, the task 7 tokens"),
        (torch.zeros(2, 5, 7), torch.full((2, 5), 7), "outside the 7 classes 0 … 6, such as 7"),
        (torch.full((2, 5, 7), float("nan")), torch.zeros(2, 5, dtype=torch.long), "NaN or infinite"),
    ],
)
def test_what_cannot_be_counted_is_refused(logits: torch.Tensor, targets: torch.Tensor, said: str) -> None:
    """Wrong shapes, tokens out of the vocabulary and NaN, each with the batch that holds it."""

    class Own(CausalLMAdapter):
        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.zeros(())

        def example_losses(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return None

    with pytest.raises(DataError, match=said) as raised:
        run_eval(Echo(), Own(), config_of([(logits, targets)]), text_spec(vocab_size=7))
    assert raised.value.where == "batch 1"


def test_a_perplexity_past_all_numbers_is_infinite_and_null_in_the_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """e^1000 is not a float: the returned number is inf, and the file says that it is undefined."""
    import json

    logits = torch.tensor([[[1000.0, 0.0]]])
    config = config_of([(logits, torch.tensor([[1]]))], output_dir=tmp_path)
    found = run_eval(Echo(), ADAPTER, config, text_spec())
    assert (found["loss"], found["perplexity"]) == (1000.0, math.inf)
    written = json.loads((tmp_path / "metrics" / "val_metrics.json").read_text())
    assert (written["perplexity"], written["undefined"]) == (None, ["perplexity"])
