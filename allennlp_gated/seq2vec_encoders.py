"""
The registered `Seq2VecEncoder`s: the final hidden state of each family of `seq2seq_encoders`.
"""

from typing import Optional

import torch
from allennlp.modules.seq2vec_encoders.seq2vec_encoder import Seq2VecEncoder

from allennlp_gated.recurrent_module import HiddenState, RecurrentModule
from allennlp_gated.registration import STOCK_FAMILIES, register_each_ablation
from allennlp_gated.seq2seq_encoders import lengths_from_mask


class RecurrentSeq2VecEncoder(Seq2VecEncoder):
    """
    A `Seq2VecEncoder` around a module of this package, which it holds as `_module`.

    # Parameters

    module : `RecurrentModule`
        What computes the hidden states.
    """

    def __init__(self, module: RecurrentModule) -> None:
        super().__init__(stateful=False)
        self._module = module

    def get_input_dim(self) -> int:
        return self._module.input_size

    def get_output_dim(self) -> int:
        return self._module.output_size * self._module.num_directions

    def forward(
        self,
        inputs: torch.Tensor,
        mask: Optional[torch.BoolTensor],
        hidden_state: Optional[HiddenState] = None,
    ) -> torch.Tensor:
        """
        # Parameters

        inputs : `torch.Tensor`
            Shape (B, T, I).
        mask : `Optional[torch.BoolTensor]`
            Which steps there are, shape (B, T); a row may have none. `None` means all.
        hidden_state : `Optional[HiddenState]`
            The initial state, as `RecurrentModule.forward` takes it; `None` means zeros.

        # Returns

        `torch.Tensor`
            The last layer's final hidden states, each direction's at the last step that it
            computes, side by side: shape (B, directions * P). Zero for a row without a step.

        # Raises

        `ConfigurationError`
            If a shape is not as above; the message names the parameter.
        """
        lengths = None if mask is None else lengths_from_mask(inputs, mask)
        _, final_state = self._module(inputs, hidden_state, lengths)
        hidden = final_state if isinstance(final_state, torch.Tensor) else final_state[0]
        # shape: (directions, B, P)
        last_layer = hidden[-self._module.num_directions :]
        vectors = last_layer.transpose(0, 1).flatten(1)
        if lengths is None or hidden_state is None:
            return vectors
        return vectors * (lengths > 0).to(vectors).unsqueeze(-1)


register_each_ablation(Seq2VecEncoder, RecurrentSeq2VecEncoder, STOCK_FAMILIES)
