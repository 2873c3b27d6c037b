"""Loss per token and perplexity over the whole set."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.errors import DataError  # noqa: E402
from exaid_evals.run_eval import CausalLMAdapter, evaluate, run_eval  # noqa: E402
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
    """Only `forward` and `compute_loss` are required; the numbers are the same, but the loss has no interval."""

    class Bare:
        def forward(self, model, batch, task_spec):  # type: ignore[no-untyped-def]
            return model(batch[0])

        def compute_loss(self, outputs, batch, task_spec):  # type: ignore[no-untyped-def]
            return torch.nn.functional.cross_entropy(outputs.flatten(0, 1), batch[1].flatten())

    logits, targets = random_text(23, 11, 17)
    batches = list(zip(logits.split(5), targets.split(5), strict=True))
    bare = evaluate(Echo(), Bare(), config_of(batches, intervals=True), text_spec())
    full = evaluate(Echo(), ADAPTER, config_of(batches, intervals=True), text_spec())
    assert bare.metrics == pytest.approx(full.metrics, rel=1e-6)
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
