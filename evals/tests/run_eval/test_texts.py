"""Perplexity of long texts by sliding windows, with a tokenizer and a data set as transformers users have them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - PyTorch decides whether this file is read on
from hypothesis import strategies as st  # noqa: E402

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    TransformersCausalLMAdapter,
    evaluate,
    text_task,
)
from exaid_evals.run_eval.texts import windows  # noqa: E402
from small_torch import config_of  # noqa: E402

TEXTS = {"a": "to be or not to be, that is the question", "b": "naïve  text", "c": "x"}


class Characters:
    """A tokenizer with a token for each character below 300, and one that begins a text."""

    bos_token_id = 300

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """Return the characters' numbers."""
        assert not add_special_tokens
        return list(map(ord, text))


class Remembering(torch.nn.Module):
    """Scores depend on the last two tokens, so that a context of two makes every window's predictions the same."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = (torch.nn.Parameter(torch.randn(301, 301, generator=generator)) for _ in range(2))

    def forward(self, input_ids, attention_mask=None):  # type: ignore[no-untyped-def]
        """Return an output with `.logits`."""
        before = torch.nn.functional.pad(self.second[input_ids][:, :-1], (0, 0, 1, 0))
        return SimpleNamespace(logits=self.first[input_ids] + before)


@given(st.integers(0, 60), st.integers(1, 20), st.data())
def test_every_prediction_counts_once_and_has_its_context(n: int, length: int, data: st.DataObject) -> None:
    """Windows cover all predictions without a gap; behind the first each has at least length − stride before it."""
    stride = data.draw(st.integers(1, length))
    counted = []
    for start, end, first in windows(n, length, stride):
        assert 0 < end - start <= length
        counted += range(first, end)
        assert start == 0 or first - start >= length - stride
    assert counted == list(range(n))


@pytest.mark.parametrize(("length", "stride"), [(100, 100), (7, 5), (3, 1), (8, 6)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_windows_change_no_number_where_the_context_suffices(length: int, stride: int, batch_size: int) -> None:
    """Loss, bits for each byte and perplexity of words are those of whole texts, computed by hand."""
    model = Remembering()
    losses = []
    for text in TEXTS.values():
        tokens = torch.tensor([[300, *map(ord, text)]])
        scores = model(tokens).logits[0].double().log_softmax(1)
        losses += [-float(scores[at, token]) for at, token in enumerate(tokens[0, 1:].tolist())]
    rows = [{"id": name, "sentence": text} for name, text in TEXTS.items()]
    task = text_task(rows, Characters(), length=length, stride=stride, column="sentence")
    loader = torch.utils.data.DataLoader(task.splits["val"], batch_size=batch_size)
    result = evaluate(model, TransformersCausalLMAdapter(), config_of(loader), task.spec)
    n_bytes = sum(len(text.encode()) for text in TEXTS.values())
    expected = {
        "loss": sum(losses) / len(losses),
        "perplexity": math.exp(sum(losses) / len(losses)),
        "bits_per_byte": sum(losses) / math.log(2) / n_bytes,
        "word_perplexity": math.exp(sum(losses) / (10 + 2 + 1)),
    }
    assert result.details["n_tokens"] == len(losses)
    assert result.metrics == pytest.approx(expected, rel=1e-6)


def test_without_a_token_that_begins_a_text_the_first_is_not_predicted() -> None:
    """A function may stand for a tokenizer; bytes count all the same."""
    task = text_task(["abc", "de"], lambda text: [ord(one) - 97 for one in text], length=4)
    loader = torch.utils.data.DataLoader(task.splits["val"], batch_size=2)
    result = evaluate(torch.nn.Embedding(5, 5), CausalLMAdapter(), config_of(loader), task.spec)
    assert result.details["n_tokens"] == 3
    assert result.metrics["bits_per_byte"] == pytest.approx(result.metrics["loss"] * 3 / math.log(2) / 5)


def test_a_tokenizer_and_a_data_set_of_hugging_face() -> None:
    """Both made here: a tokenizer of words, a data set of two rows, and a GPT-2 of two layers, against its own loss."""
    transformers = pytest.importorskip("transformers")
    datasets = pytest.importorskip("datasets")
    tokenizers = pytest.importorskip("tokenizers")
    words = sorted({word for text in TEXTS.values() for word in text.split()})
    words_of = ["<s>", *words]
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(words_of)}, "<s>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token=words_of[0])
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=len(words) + 1, n_positions=32)
    model = transformers.GPT2LMHeadModel(config).eval()
    task = text_task(datasets.Dataset.from_dict({"text": [TEXTS["a"], TEXTS["b"]]}), tokenizer, length=16)
    loader = torch.utils.data.DataLoader(task.splits["val"], batch_size=2)
    found = evaluate(model, TransformersCausalLMAdapter(), config_of(loader), task.spec)
    total, n = 0.0, 0
    for text in (TEXTS["a"], TEXTS["b"]):
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)]])
        n_tokens = ids.shape[1] - 1
        total, n = total + float(model(ids, labels=ids).loss.detach()) * n_tokens, n + n_tokens
    assert found.details["n_tokens"] == n == 12
    assert found.metrics["loss"] == pytest.approx(total / n, rel=1e-5)


def test_what_is_no_text_is_said() -> None:
    """Another column, an empty data set, and a stride past the window."""
    with pytest.raises(DataError, match=r"texts\[0\]: is a NoneType, not a text; name the column"):
        text_task([{"body": "x"}], Characters(), length=4)
    with pytest.raises(DataError, match="there is no text"):
        text_task([], Characters(), length=4)
    with pytest.raises(ConfigError, match="a stride of 5 for windows of 4"):
        text_task(["abc"], Characters(), length=4, stride=5)
