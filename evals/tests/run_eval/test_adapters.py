"""Adapters give the same numbers for one model, in whatever form its library wraps inputs and outputs."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    TimmAdapter,
    TorchvisionAdapter,
    TransformersCausalLMAdapter,
    TransformersVisionAdapter,
    VisionClassificationAdapter,
    run_eval,
)
from exaid_evals.run_eval.adapters import unwrapped  # noqa: E402
from exaid_evals.run_eval.base import Adapter  # noqa: E402
from exaid_evals.run_eval.registry import ADAPTERS, build_adapter  # noqa: E402
from small_torch import config_of, random_set, text_spec, vision_spec  # noqa: E402

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])


class ModelOutput(OrderedDict):  # type: ignore[type-arg]
    """As transformers' outputs: an ordered mapping with attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Classifier(nn.Module):
    """A linear classifier whose output is wrapped as a library does."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 4, generator=generator))
        self.wrap = wrap

    def forward(self, images: Tensor | None = None, *, pixel_values: Tensor | None = None) -> Any:
        """Return wrapped logits."""
        inputs = images if images is not None else pixel_values
        assert inputs is not None
        return self.wrap(inputs @ self.weight)


IMAGES, _ = random_set(10, 6)
LABELS = torch.arange(10) % 4


@pytest.mark.parametrize(
    ("adapter", "wrap"),
    [
        (TimmAdapter(), lambda logits: logits),
        (TimmAdapter(), lambda logits: (logits + 1, logits - 1)),
        (TorchvisionAdapter(), lambda logits: logits),
        (TorchvisionAdapter(), lambda logits: InceptionOutputs(logits, logits * 0)),
        (TorchvisionAdapter(), lambda logits: OrderedDict(out=logits, aux=logits * 0)),
        (TransformersVisionAdapter(), lambda logits: ModelOutput(logits=logits)),
        (TransformersVisionAdapter(), lambda logits: SimpleNamespace(loss=None, logits=logits)),
        (TransformersVisionAdapter(), lambda logits: (logits, "hidden states")),
    ],
)
def test_vision_adapters_find_the_logits(adapter: Adapter, wrap: Any) -> None:
    """Tensors, tuples of heads, named tuples, mappings and outputs with attributes, in pairs and in mappings."""
    plain = run_eval(
        Classifier(lambda logits: logits), VisionClassificationAdapter(), config_of([(IMAGES, LABELS)]), vision_spec(4)
    )
    batches = [(IMAGES[:6], LABELS[:6]), {"pixel_values": IMAGES[6:], "labels": LABELS[6:]}]
    assert run_eval(Classifier(wrap), adapter, config_of(batches), vision_spec(4)) == pytest.approx(plain, abs=1e-6)


class LanguageModel(nn.Module):
    """A bigram table, called as transformers' models are."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, 5, generator=torch.Generator().manual_seed(0)))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None) -> Any:
        """Return an output with `.logits`; labels must not reach it, for its mean would be the batch's alone."""
        assert labels is None
        return ModelOutput(logits=self.table[input_ids])


TOKENS = torch.tensor([[1, 2, 3, 4, 0], [4, 3, 2, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def by_hand(model: LanguageModel) -> float:
    """Return the mean loss of the 4 + 2 tokens that follow another and are not padding."""
    pairs = [(1, 2), (2, 3), (3, 4), (4, 0), (4, 3), (3, 2)]
    losses = [-float(model.table[last].log_softmax(0)[following].detach()) for last, following in pairs]
    return sum(losses) / len(losses)


@pytest.mark.parametrize(
    "batch",
    [
        {"input_ids": TOKENS, "attention_mask": MASK},
        {"input_ids": TOKENS, "attention_mask": MASK, "labels": TOKENS},
        {"input_ids": TOKENS, "labels": TOKENS.masked_fill(MASK == 0, -100)},
        {"input_ids": TOKENS[:, :-1], "targets": TOKENS.masked_fill(MASK == 0, -100)[:, 1:]},
        (TOKENS[:, :-1], TOKENS.masked_fill(MASK == 0, -100)[:, 1:]),
    ],
    ids=["mask", "mask and labels", "labels", "targets", "pair"],
)
@pytest.mark.parametrize("adapter", [CausalLMAdapter(), TransformersCausalLMAdapter()])
def test_every_form_of_a_text_batch_gives_the_same_loss(adapter: Adapter, batch: Any) -> None:
    """Labels beside their own tokens are shifted, targets that are shifted already are not; padding counts nowhere."""
    model = LanguageModel()
    found = run_eval(model, adapter, config_of([batch]), text_spec(vocab_size=5))
    assert found["loss"] == pytest.approx(by_hand(model), abs=1e-6)


def test_the_loss_of_a_causal_language_model_can_be_trained_on() -> None:
    """`compute_loss` is differentiable, and its mean over tokens is what the evaluation finds."""
    model, adapter = LanguageModel(), CausalLMAdapter()
    batch = {"input_ids": TOKENS, "attention_mask": MASK}
    loss = adapter.compute_loss(adapter.forward(model, batch, text_spec()), batch, text_spec())
    loss.backward()
    assert float(loss.detach()) == pytest.approx(by_hand(model), abs=1e-6)
    assert model.table.grad is not None


def test_outputs_without_logits_are_said() -> None:
    """A model that returns something else is an error with its type."""
    with pytest.raises(DataError, match=r"hold no logits \(str\)"):
        run_eval(
            Classifier(lambda _: "logits"),
            VisionClassificationAdapter(),
            config_of([(IMAGES, LABELS)]),
            vision_spec(4),
        )


def test_a_model_that_is_its_own_base_is_unwrapped() -> None:
    """`get_base_model` of a model without an adapter of its own may give back the model itself."""
    model = nn.Linear(2, 2)
    model.get_base_model = lambda: model
    assert unwrapped(model) is model


def test_adapters_go_by_name() -> None:
    """Those that ship are adapters; what lacks a method is refused; an unknown one names the known."""
    assert all(isinstance(build_adapter(name), Adapter) for name in ADAPTERS)
    with pytest.raises(ConfigError, match="lacks forward or compute_loss"):
        build_adapter("collections:OrderedDict")
    with pytest.raises(ConfigError, match="known are causal_lm, detection"):
        build_adapter("keras")
