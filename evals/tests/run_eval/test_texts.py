"""Perplexity of long texts by sliding windows, with a tokenizer and a data set as transformers users have them."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402 - PyTorch decides whether this file is read on
from hypothesis import strategies as st  # noqa: E402

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    TransformersCausalLMAdapter,
    evaluate,
    text_task,
)
from exaid_evals.run_eval.texts import read_texts, windows  # noqa: E402
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


def test_the_command_reads_texts_of_every_kind(tmp_path: Path) -> None:
    """A table, lines of JSON, Parquet, a file and a folder of them: the same bits per byte, of a model over bytes."""
    from pyarrow import Table, parquet

    texts = ["to be or not", "to be that is"]
    (tmp_path / "t.csv").write_text("id,body\n" + "".join(f"{at},{text}\n" for at, text in enumerate(texts)))
    rows = [{"body": text} for text in texts]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    parquet.write_table(Table.from_pylist(rows), tmp_path / "t.parquet")
    (tmp_path / "folder").mkdir()
    for at, text in enumerate(texts):
        (tmp_path / "folder" / f"{at}.txt").write_text(text)
    found = []
    for name in ("t.csv", "t.jsonl", "t.parquet", "folder"):
        column = [] if name == "folder" else ["--column", "body"]
        out = tmp_path / f"out-{name}"
        command = [
            "run-eval",
            "--model",
            "byte_gru",
            "--data",
            str(tmp_path / name),
            "--length",
            "8",
            "--out",
            str(out),
        ]
        assert run([*command, *column]) == 0
        found.append(json.loads((out / "metrics" / "val_metrics.json").read_text())["bits_per_byte"])
    assert len(set(found)) == 1
    assert found[0] > 4  # untrained
    assert "to be" in (tmp_path / "out-t.csv" / "val_report.html").read_text()


def test_texts_keep_what_only_looks_like_the_end_of_a_line(tmp_path: Path) -> None:
    """A separator of Unicode, a form feed, a quoted line end, a cell of a whole book, and the mark of Windows."""
    texts = ["one\u2028line", "a\x0cpage", "two\nlines", "x" * 200_000]
    (tmp_path / "t.jsonl").write_text(
        "\ufeff" + "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), encoding="utf-8"
    )
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream).writerows([["text"], *([text] for text in texts)])
    for name in ("t.jsonl", "t.csv"):
        assert [row["text"] for row in read_texts(tmp_path / name, "val")] == texts


def test_a_damaged_data_set_of_datasets_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the library raises of it is one line; here a stand-in for it does."""

    def load_from_disk(_: str) -> None:
        raise KeyError("_data_files")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_from_disk=load_from_disk))
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"is not a saved data set \(KeyError: '_data_files'\); write or copy it again"):
        read_texts(tmp_path, "val")


def test_wrong_tables_are_said_with_their_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such column, a line that is no JSON, two rows of one id, and a model that cannot classify."""
    for content, further, said in (
        ('{"a": "x"}', [], "is a NoneType, not a text; name the column of the texts; there are a"),
        ('{"text": "x"}\n{', [], "t.jsonl:2: is not JSON"),
        ('{"text": "x", "id": 1}\n{"text": "y", "id": 1}', [], "has the id 1 of another row"),
        ('{"text": "x", "y": 1}', ["--label", "y"], "byte_gru classifies no texts"),
    ):
        (tmp_path / "t.jsonl").write_text(content)
        assert run(["run-eval", "--model", "byte_gru", "--data", str(tmp_path / "t.jsonl"), *further]) != 0
        assert said in capsys.readouterr().err


def test_models_of_transformers_are_evaluated_on_texts_from_the_command_line(tmp_path: Path) -> None:
    """A GPT-2 and a BERT that are made and saved here, with their tokenizer, on a table: loss and accuracy by hand."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: at for at, word in enumerate(["<s>", "<pad>", "good", "bad", "film", "very"])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "<pad>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    special = {"bos_token": "<s>", "pad_token": "<pad>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **special)
    rows = [("very good film", "pos"), ("bad film", "neg"), ("very very bad film", "pos")]
    (tmp_path / "t.csv").write_text("text,mood\n" + "".join(f"{text},{mood}\n" for text, mood in rows))
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertForSequenceClassification(
        transformers.BertConfig(vocab_size=6, id2label={0: "neg", 1: "pos"}, label2id={"neg": 0, "pos": 1}, **small)
    ).eval()
    gpt = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=6, n_positions=8)
    ).eval()
    for name, model in (("bert", bert), ("gpt", gpt)):
        model.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    metrics = {}
    for name, further in (("bert", ["--label", "mood"]), ("gpt", [])):
        out = tmp_path / f"out-{name}"
        command = ["run-eval", "--model", f"transformers:{tmp_path / name}", "--data", str(tmp_path / "t.csv")]
        assert run([*command, "--batch-size", "2", "--out", str(out), *further]) == 0
        metrics[name] = json.loads((out / "metrics" / "val_metrics.json").read_text())
    with torch.no_grad():
        logits = torch.cat([bert(**tokenizer(text, return_tensors="pt")).logits for text, _ in rows])
        labels = torch.tensor([1, 0, 1])
        total, n = 0.0, 0
        for text, _ in rows:
            ids = torch.tensor([[0, *tokenizer.encode(text, add_special_tokens=False)]])
            total, n = total + float(gpt(ids, labels=ids).loss) * (ids.shape[1] - 1), n + ids.shape[1] - 1
    assert metrics["bert"]["accuracy"] == pytest.approx(float((logits.argmax(1) == labels).double().mean()), abs=1e-6)
    assert metrics["bert"]["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), abs=1e-5)
    assert set(metrics["bert"]["per_class"]) == {"neg", "pos"}
    assert metrics["gpt"]["loss"] == pytest.approx(total / n, abs=1e-5)
