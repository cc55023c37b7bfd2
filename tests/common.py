"""What several tests share: every registered encoder with small sizes, and a ragged batch."""

from typing import Any, Dict, List, Tuple

import torch
from allennlp.common import Params
from allennlp.modules.seq2seq_encoders.seq2seq_encoder import Seq2SeqEncoder

import allennlp_gated  # noqa: F401  registers the encoders
from allennlp_gated.ablation import ABLATIONS

INPUT_SIZE = 3
HIDDEN_SIZE = 4

FAMILIES: Dict[str, Dict[str, Any]] = {
    "lstm": {"num_layers": 2, "bidirectional": True},
    "augmented_lstm": {"go_forward": False},
    "alternating_lstm": {"num_layers": 3},
    "stacked_bidirectional_lstm": {"num_layers": 2},
    "independent_lstm": {"num_layers": 2},
}
ENCODER_NAMES: List[str] = [f"{family}_{key}" for family in FAMILIES for key in ABLATIONS]


def family_and_key(name: str) -> Tuple[str, str]:
    """Split the name of an encoder into its family and its ablation's key."""
    return next(
        (family, key) for family in FAMILIES for key in ABLATIONS if name == f"{family}_{key}"
    )


def new_encoder(name: str, **overrides: Any) -> Seq2SeqEncoder:
    """A registered encoder in float64, built as a config would build it."""
    family, _ = family_and_key(name)
    params = {"type": name, "input_size": INPUT_SIZE, "hidden_size": HIDDEN_SIZE}
    return Seq2SeqEncoder.from_params(Params({**params, **FAMILIES[family], **overrides})).double()


def ragged_batch(lengths: List[int], total_steps: int) -> Tuple[torch.Tensor, torch.Tensor]:
    """Random inputs of shape (B, T, I) that are NaN where the mask, shape (B, T), is False."""
    mask = torch.arange(total_steps).unsqueeze(0) < torch.tensor(lengths).unsqueeze(1)
    inputs = torch.randn(len(lengths), total_steps, INPUT_SIZE, dtype=torch.float64)
    return inputs.masked_fill(~mask.unsqueeze(-1), float("nan")), mask


def initial_state(encoder: Seq2SeqEncoder, batch_size: int) -> List[torch.Tensor]:
    """A random initial state that requires gradients, as a list."""
    module = encoder._module
    count = module.num_layers * module.num_directions
    return [
        torch.randn(count, batch_size, HIDDEN_SIZE, dtype=torch.float64, requires_grad=True)
        for _ in module.ablation.state_names
    ]
