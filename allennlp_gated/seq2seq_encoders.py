"""
The registered `Seq2SeqEncoder`s: for each stock recurrent encoder and each ablation one of the
same constructor parameters, called as the stock one with the ablation's key behind it.
"""

from typing import List, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.seq2seq_encoders.seq2seq_encoder import Seq2SeqEncoder
from allennlp.nn.util import get_lengths_from_binary_sequence_mask

from allennlp_gated.independent_lstm import IndependentLstm
from allennlp_gated.recurrent_module import HiddenState, RecurrentModule
from allennlp_gated.registration import STOCK_FAMILIES, register_each_ablation


def lengths_from_mask(inputs: torch.Tensor, mask: torch.BoolTensor) -> torch.Tensor:
    """
    # Parameters

    inputs : `torch.Tensor`
        Shape (B, T, I).
    mask : `torch.BoolTensor`
        Which steps there are, shape (B, T).

    # Returns

    `torch.Tensor`
        How many steps each row has, shape (B,).

    # Raises

    `ConfigurationError`
        If the mask has another shape.
    """
    if mask.shape != inputs.shape[:2]:
        raise ConfigurationError(
            f"mask: shape must be (batch, steps)={tuple(inputs.shape[:2])} as the inputs have, "
            f"not {tuple(mask.shape)}"
        )
    return get_lengths_from_binary_sequence_mask(mask)


class RecurrentSeq2SeqEncoder(Seq2SeqEncoder):
    """
    A `Seq2SeqEncoder` around a module of this package, which it holds as `_module`. It does what
    `PytorchSeq2SeqWrapper` does, without sorting or packing the batch.

    # Parameters

    module : `Union[RecurrentModule, IndependentLstm]`
        What computes the hidden states.
    stateful : `bool`, optional (default = `False`)
        Whether each batch starts from the final states of the one before, row by row, until
        `reset_states` is called. A row without a step keeps its state; a row more starts at zero.
    """

    def __init__(
        self, module: Union[RecurrentModule, IndependentLstm], stateful: bool = False
    ) -> None:
        super().__init__(stateful)
        self._module = module

    def get_input_dim(self) -> int:
        return self._module.input_size

    def get_output_dim(self) -> int:
        return self._module.output_size * self._module.num_directions

    def is_bidirectional(self) -> bool:
        return self._module.bidirectional

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
            The last layer's hidden states, shape (B, T, directions * P), zero where masked.

        # Raises

        `ConfigurationError`
            If a shape is not as above; the message names the parameter.
        `ValueError`
            If the encoder is stateful, and there is no mask or an initial state is given.
        """
        initial_state, lengths = self._prepare(inputs, mask, hidden_state)
        outputs, final_state = self._module(inputs, initial_state, lengths)
        self._remember(final_state)
        # Stock models, coreference for one, take a `view` of it.
        return outputs.contiguous()

    def _prepare(
        self,
        inputs: torch.Tensor,
        mask: Optional[torch.BoolTensor],
        hidden_state: Optional[HiddenState],
    ) -> Tuple[Optional[HiddenState], Optional[torch.Tensor]]:
        if self.stateful and mask is None:
            raise ValueError("mask: always pass a mask to a stateful encoder")
        if self.stateful and hidden_state is not None:
            raise ValueError("hidden_state: a stateful encoder provides its own; pass None")
        lengths = None if mask is None else lengths_from_mask(inputs, mask)
        if self.stateful and self._states is not None:
            return self._states_for(inputs.shape[0]), lengths
        return hidden_state, lengths

    def _states_for(self, batch_size: int) -> Tuple[torch.Tensor, ...]:
        """The kept states, each of shape (layers * directions, batch_size, size)."""
        assert self._states is not None
        missing = batch_size - self._states[0].shape[1]
        if missing <= 0:
            return tuple(state[:, :batch_size] for state in self._states)
        return tuple(torch.nn.functional.pad(state, (0, 0, 0, missing)) for state in self._states)

    def _remember(self, final_state: HiddenState) -> None:
        if not self.stateful:
            return
        states = (final_state,) if isinstance(final_state, torch.Tensor) else final_state
        final = tuple(state.detach() for state in states)
        batch_size = final[0].shape[1]
        kept = self._states or final
        # Rows beyond this batch keep what they had.
        self._states = tuple(
            torch.cat([new, old[:, batch_size:]], 1) for new, old in zip(final, kept)
        )


class IndependentSeq2SeqEncoder(RecurrentSeq2SeqEncoder):
    """
    A `Seq2SeqEncoder` around a forward and a backward stack whose directions do not mix, as a
    bidirectional language model needs them.

    # Parameters

    module : `IndependentLstm`
        What computes the hidden states.
    stateful : `bool`, optional (default = `False`)
        As for `RecurrentSeq2SeqEncoder`.
    return_all_layers : `bool`, optional (default = `False`)
        Whether `forward` returns a list with each layer's hidden states, lowest first. The stock
        `language_model_token_embedder` sets this attribute to mix the layers.
    """

    def __init__(
        self, module: IndependentLstm, stateful: bool = False, return_all_layers: bool = False
    ) -> None:
        super().__init__(module, stateful)
        self.return_all_layers = return_all_layers

    @property
    def num_layers(self) -> int:
        """How many layers each stack has."""
        return self._module.num_layers

    def forward(  # type: ignore[override]
        self,
        inputs: torch.Tensor,
        mask: Optional[torch.BoolTensor],
        hidden_state: Optional[HiddenState] = None,
    ) -> Union[torch.Tensor, List[torch.Tensor]]:
        initial_state, lengths = self._prepare(inputs, mask, hidden_state)
        layers, final_state = self._module.forward_all_layers(inputs, initial_state, lengths)
        self._remember(final_state)
        layers = [layer.contiguous() for layer in layers]
        return layers if self.return_all_layers else layers[-1]


register_each_ablation(Seq2SeqEncoder, RecurrentSeq2SeqEncoder, STOCK_FAMILIES)
register_each_ablation(
    Seq2SeqEncoder, IndependentSeq2SeqEncoder, {"independent_lstm": IndependentLstm}
)
