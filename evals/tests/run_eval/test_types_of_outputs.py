"""Types of inputs and outputs that others' models have: kept, changed and said, or refused with what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

from exaid_evals.errors import DataError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    TaskSpec,
    TransformersCausalLMAdapter,
    VisionClassificationAdapter,
    evaluate,
    run_eval,
)
from exaid_evals.run_eval.batches import are_probabilities  # noqa: E402
from small_torch import IMAGES, LABELS, Linear, batches, config_of, vision_spec  # noqa: E402

SET = TensorDataset(IMAGES, LABELS)
ADAPTER = VisionClassificationAdapter()


class Tokens(nn.Module):
    """An embedding, pooled, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(50, 8), nn.Linear(8, 4)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits."""
        assert tokens.dtype is torch.int64
        return self.head(self.embedding(tokens).mean(dim=1))


@pytest.mark.parametrize("weights", [torch.bfloat16, torch.float64])
def test_numbers_of_tokens_stay_whole(weights: torch.dtype) -> None:
    """Whatever the weights' type is: in half precision 257 would be 256."""
    tokens = torch.arange(35 * 6).reshape(35, 6) % 50
    model = Tokens().to(weights)
    found = evaluate(model, ADAPTER, config_of(batches(images=tokens)), vision_spec(4))
    with torch.no_grad():
        logits = model(tokens).float()
    assert found.metrics["loss"] == pytest.approx(float(functional.cross_entropy(logits, LABELS)), abs=1e-6)
    assert found.warnings == ()


def test_another_type_of_inputs_is_said() -> None:
    """A model whose inputs were given the type of its weights was not given what the loader made."""
    found = evaluate(Linear(), ADAPTER, config_of(batches(images=IMAGES.double())), vision_spec(4))
    assert found.warnings == ("the model refuses the type of its inputs; they are given in the type of its weights",)
    assert evaluate(Linear(), ADAPTER, config_of(batches()), vision_spec(4)).warnings == ()


def test_images_of_bytes_are_refused_with_what_to_do() -> None:
    """Nobody knows by what they were to be divided."""
    with pytest.raises(DataError, match=r"refuses the type of its inputs .*; make them what its weights are"):
        run_eval(Linear(), ADAPTER, config_of(batches(images=(IMAGES * 9).byte())), vision_spec(4))


@pytest.mark.parametrize(
    ("last", "warned"), [(nn.Softmax(dim=1), True), (nn.LogSoftmax(dim=1), False), (nn.Sigmoid(), False)]
)
def test_probabilities_in_place_of_logits_are_said(last: nn.Module, warned: bool) -> None:
    """Their loss is that of a softmax of a softmax, which no number shows."""
    found = evaluate(nn.Sequential(Linear(), last), ADAPTER, config_of(batches()), vision_spec(4))
    assert [one for one in found.warnings if "are probabilities" in one] == list(found.warnings)
    assert len(found.warnings) == warned


def test_outputs_and_labels_of_any_kind_are_asked_whether_they_are_probabilities() -> None:
    """Metric sets of others take what they like: lists are none."""
    halves = torch.full((2, 2), 0.5)
    assert are_probabilities(halves, torch.tensor([0, 1]))
    assert not are_probabilities(halves, [0, 1])
    assert not are_probabilities([halves], torch.tensor([0, 1]))


def test_sparse_logits_are_logits() -> None:
    """A model may return them in another layout."""
    sparse = run_eval(Linear(lambda logits: logits.to_sparse()), ADAPTER, config_of(batches()), vision_spec(4))
    assert sparse == run_eval(Linear(), ADAPTER, config_of(batches()), vision_spec(4))


def test_learnt_tokens_before_a_text_are_none_of_it() -> None:
    """As PEFT puts them there: the logits of the text's own tokens are the last ones."""

    class Prompted(nn.Module):
        active_peft_config = SimpleNamespace(num_virtual_tokens=2)

        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(9, 9)

        def forward(self, input_ids: Tensor) -> Any:
            logits = self.table(input_ids)
            before = logits.new_zeros(len(logits), 2 * (self.active_peft_config is not None), 9)
            return SimpleNamespace(logits=torch.cat([before, logits], dim=1))

    loader = [{"input_ids": torch.arange(12).reshape(2, 6) % 9}]
    model = Prompted()
    found = run_eval(model, TransformersCausalLMAdapter(), config_of(loader), TaskSpec(modality="text"))
    model.active_peft_config = None  # type: ignore[assignment]
    assert found == run_eval(model, TransformersCausalLMAdapter(), config_of(loader), TaskSpec(modality="text"))
