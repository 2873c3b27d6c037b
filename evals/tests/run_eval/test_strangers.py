"""Models and loaders as others write them: each evaluated rightly, or refused by an error that says what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import DataLoader, IterableDataset, TensorDataset  # noqa: E402

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    LogisticAdapter,
    RegressionAdapter,
    TaskSpec,
    TransformersCausalLMAdapter,
    TransformersClassificationAdapter,
    TransformersSeq2SeqAdapter,
    VisionClassificationAdapter,
    evaluate,
    run_eval,
)
from exaid_evals.run_eval.placement import Processes, Share  # noqa: E402
from small_torch import IMAGES, LABELS, Echo, Linear, batches, config_of, text_spec, vision_spec  # noqa: E402

SET = TensorDataset(IMAGES, LABELS)
ADAPTER = VisionClassificationAdapter()


@dataclasses.dataclass(frozen=True)
class Output:
    """An output that cannot be changed."""

    logits: Tensor


@pytest.mark.parametrize("given", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("weights", [torch.bfloat16, torch.float16, torch.float64, torch.float32])
def test_a_model_gets_inputs_of_its_own_precision(weights: torch.dtype, given: torch.dtype) -> None:
    """Whatever the loader makes: its logits by hand, whose loss is taken in single precision."""
    model = Linear().to(weights)
    with torch.no_grad():
        logits = model(IMAGES.to(given).to(weights)).float()
    found = run_eval(model, ADAPTER, config_of(batches(images=IMAGES.to(given))), vision_spec(4))
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(logits, LABELS)), abs=1e-6)
    assert found["accuracy"] == float((logits.argmax(1) == LABELS).double().mean())


def test_a_model_that_takes_other_inputs_keeps_them() -> None:
    """Weights of half precision behind a forward pass that makes single precision half itself: nothing is changed."""

    class Casting(Linear):
        def forward(self, images: Tensor) -> Any:
            assert images.dtype is torch.float32
            return super().forward(images.bfloat16())

    assert "loss" in run_eval(Casting().bfloat16(), ADAPTER, config_of(batches()), vision_spec(4))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: (logits.mean(), logits),
        lambda logits: Output(logits.to(torch.bfloat16)),
        lambda logits: {"loss": logits.mean(), "logits": logits},
        lambda logits: [logits],
    ],
    ids=["loss and logits", "frozen dataclass of half precision", "mapping", "list"],
)
def test_logits_are_found_behind_a_loss_and_in_what_cannot_be_changed(wrap: Any) -> None:
    """The numbers are those of the bare logits, to half precision where they are of that."""
    plain = run_eval(Linear(), ADAPTER, config_of(batches()), vision_spec(4))
    assert run_eval(Linear(wrap), ADAPTER, config_of(batches()), vision_spec(4)) == pytest.approx(plain, abs=2e-3)


@pytest.mark.parametrize(
    ("adapter", "task_type"), [(LogisticAdapter(), "binary_classification"), (RegressionAdapter(), "regression")]
)
def test_a_last_batch_of_one_may_be_squeezed(adapter: Any, task_type: str) -> None:
    """`squeeze()` leaves no dimension of a batch of one: the metrics are those of one batch."""

    class Squeezing(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.sum(dim=1, keepdim=True).squeeze()

    labels = (LABELS > 1).float()
    whole, parted = (
        run_eval(Squeezing(), adapter, config_of(batches(size, labels=labels)), TaskSpec("vision", task_type))
        for size in (35, 17)
    )
    assert parted == pytest.approx(whole, abs=1e-6)


class Merging(nn.Module):
    """Keeps its weights apart in training, and together in evaluation, as LoRA's layers do in `train`."""

    def __init__(self) -> None:
        super().__init__()
        self.merged = False

    def train(self, mode: bool = True) -> Merging:
        """Merge or part."""
        self.merged = not mode
        return super().train(mode)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs."""
        assert self.merged
        return inputs


def test_modules_go_back_to_training_by_their_own_way() -> None:
    """Its `train` is called again; a part that was in evaluation mode within it stays so."""
    model = nn.Sequential(Merging(), Merging(), nn.Dropout())
    model[1].eval()
    run_eval(model, ADAPTER, config_of(batches()), vision_spec(4))
    assert [part.training for part in (model, *model)] == [True, True, False, True]
    assert [model[0].merged, model[1].merged] == [False, True]


class Stream(IterableDataset):  # type: ignore[type-arg]
    """Examples one by one, of an unknown number."""

    def __iter__(self) -> Iterator[Any]:
        """Yield them."""
        yield from zip(IMAGES, LABELS, strict=True)


@pytest.mark.parametrize(
    "loader",
    [
        lambda: DataLoader(Stream(), batch_size=8),
        lambda: (batch for batch in batches(1)),
        lambda: [{"x": images, "y": labels, "note": None} for images, labels in batches()],
        lambda: [[images, labels, "further"] for images, labels in batches()],
        lambda: batches(labels=LABELS.to(torch.uint8)),
    ],
    ids=["stream", "generator", "mappings", "triples", "bytes"],
)
def test_loaders_of_every_kind(loader: Any) -> None:
    """The same numbers as of a list of pairs."""
    plain = run_eval(Echo(), ADAPTER, config_of(batches()), vision_spec(4))
    assert run_eval(Echo(), ADAPTER, config_of(loader()), vision_spec(4)) == pytest.approx(plain, abs=1e-6)


def test_a_stream_does_not_tell_several_processes_what_it_holds() -> None:
    """Its sampler has no end, and is not asked."""

    class Pair(Processes):
        def __init__(self) -> None:
            self.size, self.rank = 2, 0

        def gathered(self, value: Any) -> list[Any]:
            return [value, value]

    assert "taken to hold different ones" in Share(DataLoader(Stream(), batch_size=8), Pair()).warnings[0]


def test_dropped_examples_are_counted() -> None:
    """`drop_last` leaves three of 35 out, and the result says so."""
    loader = DataLoader(SET, batch_size=8, drop_last=True)
    found = evaluate(Echo(), ADAPTER, config_of(loader), vision_spec(4))
    assert found.details["n_examples"] == 32
    assert found.warnings == ("the loader drops the last 3 examples (drop_last), which count for nothing",)


@pytest.mark.parametrize(
    ("model", "loader", "said"),
    [
        (Echo(), SET, r"a single number: the loader gives examples, and no batches of them; wrap the data set"),
        (Echo(), batches(labels=functional.one_hot(LABELS, 4)), r"of one-hot rows labels.argmax\(dim=1\)"),
        (Echo(), batches(labels=LABELS + 1), "outside the 4 classes 0 … 3, such as 4; number classes from 0"),
        (Echo(), DataLoader(SET, batch_size=99, drop_last=True), "and its drop_last"),
        (Linear(lambda logits: {"scores": logits}), batches(), r"hold no logits \(dict with scores\)"),
        (Linear().to("meta"), batches(), "lies on the meta device, and has no weights; load its weights"),
    ],
)
def test_what_cannot_be_evaluated_says_what_to_do(model: nn.Module, loader: Any, said: str) -> None:
    """A data set for a loader, one-hot labels, classes from 1, nothing left, unknown outputs, no weights."""
    with pytest.raises((ConfigError, DataError), match=said):
        run_eval(model, ADAPTER, config_of(loader), vision_spec(4))


def test_class_names_may_be_a_mapping() -> None:
    """As transformers' `id2label`, from JSON with numbers as text."""
    names = {"1": "dog", "0": "cat", "3": "owl", "2": "hen"}
    found = evaluate(Echo(), ADAPTER, config_of(batches()), vision_spec(4, class_names=names))
    assert found.details["class_names"] == ["cat", "dog", "hen", "owl"]


class Language(nn.Module):
    """Logits that depend on every token before, by the mask, and on positions."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokens, self.places, self.head = nn.Embedding(9, 6), nn.Embedding(16, 6), nn.Linear(6, 9)
        self.config = SimpleNamespace(**config)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, position_ids: Tensor | None = None
    ) -> Any:
        """Return logits of the next token."""
        places = torch.arange(input_ids.shape[1])[None] if position_ids is None else position_ids
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        states = self.tokens(input_ids) + self.places(places)
        seen = (states * mask[..., None]).cumsum(dim=1) / mask.cumsum(dim=1).clamp(min=1)[..., None]
        return {"logits": self.head(seen)}


class Compiled(nn.Module):
    """Passes everything on, as `torch.compile`'s module does."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._orig_mod = model

    def forward(self, *args: Any, **named: Any) -> Any:
        """Call the model."""
        return self._orig_mod(*args, **named)


def padded(texts: list[Tensor], *, left: bool) -> dict[str, Tensor]:
    """Return texts as a batch with a mask, padded on a side."""
    length = max(map(len, texts))
    sides = [((length - len(one), 0) if left else (0, length - len(one))) for one in texts]
    pairs = [
        (functional.pad(one, side), functional.pad(torch.ones_like(one), side))
        for one, side in zip(texts, sides, strict=True)
    ]
    tokens, masks = zip(*pairs, strict=True)
    return {"input_ids": torch.stack(tokens), "attention_mask": torch.stack(masks)}


@pytest.mark.parametrize(
    "wrap", [lambda model: model, Compiled, nn.DataParallel, lambda m: Compiled(nn.DataParallel(m))]
)
def test_masks_and_positions_reach_a_model_through_its_wrappers(wrap: Any) -> None:
    """The loss does not depend on the side of the padding, on the batch, or on tokens masked within a text."""
    texts = [torch.arange(1, n) for n in (3, 9, 5, 7)]
    model = Language()
    expected = run_eval(
        model, TransformersCausalLMAdapter(), config_of([{"input_ids": t[None]} for t in texts]), text_spec()
    )
    for left in (True, False):
        for size in (1, 2, 4):
            loader = [padded(texts[at : at + size], left=left) for at in range(0, 4, size)]
            found = run_eval(wrap(model), TransformersCausalLMAdapter(), config_of(loader), text_spec())
            assert found["loss"] == pytest.approx(expected["loss"], abs=1e-6)
    holes = padded(texts, left=True)
    holes["attention_mask"][1, 4] = holes["attention_mask"][3, 5] = 0
    alone = [{name: one[row : row + 1, -len(texts[row]) :] for name, one in holes.items()} for row in range(4)]
    together, apart = (
        run_eval(wrap(model), TransformersCausalLMAdapter(), config_of(loader), text_spec())
        for loader in ([holes], alone)
    )
    assert together["loss"] == pytest.approx(apart["loss"], abs=1e-6)


class Classifier(nn.Module):
    """Counts tokens by the mask: without it the padding would count."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """Return logits."""
        return SimpleNamespace(
            logits=torch.stack([(input_ids * attention_mask).sum(1), attention_mask.sum(1)], 1).float()
        )


def test_a_compiled_classifier_gets_its_mask() -> None:
    """A wrapper names nothing; what is within it does."""
    batch = {**padded([torch.tensor([1, 2]), torch.tensor([3])], left=False), "labels": torch.tensor([0, 1])}
    spec = TaskSpec("text", "text_classification")
    found = run_eval(Compiled(Classifier()), TransformersClassificationAdapter(), config_of([batch]), spec)
    logits = torch.tensor([[3.0, 2.0], [3.0, 1.0]])
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(logits, batch["labels"])), abs=1e-6)


class Translator(nn.Module):
    """Shifts its labels to the right for the decoder's inputs, and knows what was said by their sum."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = SimpleNamespace(is_encoder_decoder=True)
        self.tokens, self.head = nn.Embedding(9, 6), nn.Linear(6, 9)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> Any:
        """Return logits at each label's own place."""
        assert labels is not None
        before = functional.pad(labels[:, :-1], (1, 0)).clamp(min=0)
        return (torch.zeros(()), self.head(self.tokens(before) + self.tokens(input_ids).mean(1, keepdim=True)))


def test_models_with_encoder_and_decoder_are_not_shifted_twice() -> None:
    """The loss by hand, whatever the batches; as a causal language model it is refused."""
    inputs, labels = torch.arange(20).reshape(4, 5) % 9, torch.arange(24).reshape(4, 6) % 7
    labels[0, 4:] = -100
    model = Translator()
    logits = model(inputs, labels=labels)[1].detach()
    expected = float(functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))
    for size in (1, 3, 4):
        loader = [{"input_ids": x, "labels": y} for x, y in zip(inputs.split(size), labels.split(size), strict=True)]
        found = run_eval(model, TransformersSeq2SeqAdapter(), config_of(loader), text_spec())
        assert found["loss"] == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ConfigError, match="take TransformersSeq2SeqAdapter"):
        run_eval(model, TransformersCausalLMAdapter(), config_of([{"input_ids": inputs}]), text_spec())
    masked = {"input_ids": inputs, "attention_mask": torch.ones_like(inputs), "labels": labels}
    with pytest.raises(DataError, match=r"labels have the shape \(4, 6\), and the inputs \(4, 5\); of a classifier"):
        run_eval(Language(), TransformersCausalLMAdapter(), config_of([masked]), text_spec())


def test_tokens_may_be_classified_at_their_own_places() -> None:
    """As masked language models and taggers do: the mean over labels that count, by hand."""
    inputs, labels = torch.arange(12).reshape(2, 6) % 9, torch.arange(12).reshape(2, 6) % 8
    labels[0, ::2] = -100
    model = Language()
    found = run_eval(
        model, TransformersClassificationAdapter(), config_of([{"input_ids": inputs, "labels": labels}]), text_spec()
    )
    logits = model(inputs)["logits"].detach().flatten(0, 1)
    assert found["loss"] == pytest.approx(float(functional.cross_entropy(logits, labels.flatten())), abs=1e-6)

    class EchoForMaskedLM(Language):
        pass

    with pytest.raises(ConfigError, match="EchoForMaskedLM predicts other tokens than the next ones"):
        run_eval(EchoForMaskedLM(), TransformersCausalLMAdapter(), config_of([{"input_ids": inputs}]), text_spec())
