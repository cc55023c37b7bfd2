"""The ablated LSTMs as `DecoderNet`s for `composed_seq2seq`: `lstm_cell_<key>`."""

import warnings
from typing import Any, ClassVar, Dict, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules import Attention
from allennlp.nn import util
from allennlp_models.generation.modules import decoder_nets as stock
from allennlp_models.generation.modules.decoder_nets import DecoderNet

from allennlp_gated.ablation import ABLATIONS, Ablation
from allennlp_gated.checks import check_dropout, check_size
from allennlp_gated.lstm import AblatedLstm

DecoderState = Dict[str, torch.Tensor]


class LstmCellDecoderNet(DecoderNet):
    """
    The stock `lstm_cell` decoder with any part of its LSTM taken out: as many layers as one likes,
    and optionally the attention of Luong et al. 2015, which is that of OpenNMT.

    As in the stock decoder, the encoder's output must be of size `decoding_dim`, and its last
    vector is the initial hidden state, here of every layer.

    # Parameters

    decoding_dim : `int`
        Size of the hidden state and of the output vectors.
    target_embedding_dim : `int`
        Size of the embedding of the previous word.
    attention : `Optional[Attention]`, optional (default = `None`)
        Compares the top layer's hidden state with the encoder's outputs. Without input feeding, the
        hidden state of the previous step is compared, and what is attended to is part of the input.
        Without an attention the source is known by the initial hidden state alone; where nothing
        sees h that is nothing at all, and a warning says so.
    bidirectional_input : `bool`, optional (default = `False`)
        Whether the encoder is bidirectional: its last vector is then put together from the ends of
        both directions.
    num_layers : `int`, optional (default = `1`)
        How many layers the decoder has.
    dropout : `float`, optional (default = `0.0`)
        Probability with which an element is dropped between two layers and in the output vector.
    input_feeding : `bool`, optional (default = `False`)
        Whether this step's hidden state is compared, the output vector is the attentional hidden
        state tanh(W [attended; hidden]) (equation 5 of Luong et al.), and this vector is part of
        the next step's input. Needs an attention.

    # Raises

    `ConfigurationError`
        If a parameter is not allowed; the message names it.
    """

    ablation: ClassVar[Ablation]

    def __init__(
        self,
        decoding_dim: int,
        target_embedding_dim: int,
        attention: Optional[Attention] = None,
        bidirectional_input: bool = False,
        num_layers: int = 1,
        dropout: float = 0.0,
        input_feeding: bool = False,
    ) -> None:
        super().__init__(
            decoding_dim=decoding_dim,
            target_embedding_dim=target_embedding_dim,
            decodes_parallel=False,
        )
        check_size("decoding_dim", decoding_dim)
        check_size("target_embedding_dim", target_embedding_dim)
        check_dropout("dropout", dropout)
        if input_feeding and attention is None:
            raise ConfigurationError("input_feeding: there is nothing to feed without an attention")
        if attention is None and not self.ablation.sees_hidden:
            warnings.warn(
                f"attention: nothing in {self.ablation.key} sees the initial hidden state, so "
                "without an attention nothing of the source reaches the decoder",
                stacklevel=2,
            )
        self._attention = attention
        self._bidirectional_input = bidirectional_input
        self._decoder_cell = AblatedLstm(
            self.ablation,
            target_embedding_dim + (0 if attention is None else decoding_dim),
            decoding_dim,
            num_layers=num_layers,
            dropout=dropout,
        )
        self._attentional_layer = (
            torch.nn.Linear(2 * decoding_dim, decoding_dim, bias=False) if input_feeding else None
        )
        self._dropout = torch.nn.Dropout(dropout)

    @classmethod
    def from_stock(cls, decoder_net: stock.LstmCellDecoderNet) -> "LstmCellDecoderNet":
        """
        # Parameters

        decoder_net : `LstmCellDecoderNet`
            A stock `lstm_cell`.

        # Returns

        `LstmCellDecoderNet`
            An `lstm_cell_full` that computes the same, with a copy of its weights, the sum of its
            two biases, and the same attention module.
        """
        theirs = decoder_net._decoder_cell
        ours = DecoderNet.by_name("lstm_cell_full")(
            decoding_dim=decoder_net.decoding_dim,
            target_embedding_dim=decoder_net.target_embedding_dim,
            attention=decoder_net._attention,
            bidirectional_input=decoder_net._bidirectional_input,
        ).to(theirs.weight_ih)
        with torch.no_grad():
            ours._decoder_cell.weight_ih_l0.copy_(theirs.weight_ih)
            ours._decoder_cell.weight_hh_l0.copy_(theirs.weight_hh)
            ours._decoder_cell.bias_l0.copy_(theirs.bias_ih + theirs.bias_hh)
        return ours.train(decoder_net.training)

    def init_decoder_state(self, encoder_out: Dict[str, Any]) -> DecoderState:
        """
        # Parameters

        encoder_out : `Dict[str, torch.Tensor]`
            `encoder_outputs`, shape (batch, source steps, decoding_dim), and `source_mask`, shape
            (batch, source steps).

        # Returns

        `Dict[str, torch.Tensor]`
            `decoder_hidden` and, if there is a memory cell, `decoder_context`: as in the stock
            decoder of shape (batch, decoding_dim), but (layers, batch, decoding_dim) if there is
            more than one layer, which is how `BeamSearch` knows these two. With input feeding also
            `attentional_hidden`, zeros of shape (batch, decoding_dim).
        """
        # shape: (batch, decoding_dim)
        final_encoder_output = util.get_final_encoder_states(
            encoder_out["encoder_outputs"],
            encoder_out["source_mask"],
            bidirectional=self._bidirectional_input,
        )
        # shape: (layers, batch, decoding_dim)
        hidden = final_encoder_output.expand(self._decoder_cell.num_layers, -1, -1)
        memory_cell = torch.zeros_like(hidden) if self._has_memory_cell else None
        attentional = (
            None if self._attentional_layer is None else torch.zeros_like(final_encoder_output)
        )
        return self._write_state(hidden, memory_cell, attentional)

    def forward(
        self,
        previous_state: DecoderState,
        encoder_outputs: torch.Tensor,
        source_mask: torch.BoolTensor,
        previous_steps_predictions: torch.Tensor,
        previous_steps_mask: Optional[torch.BoolTensor] = None,
    ) -> Tuple[DecoderState, torch.Tensor]:
        """
        One step of decoding. The group is the batch, or with beam search the batch times the beam.

        # Parameters

        previous_state : `Dict[str, torch.Tensor]`
            What `init_decoder_state` or the previous step returned.
        encoder_outputs : `torch.Tensor`
            Shape (group, source steps, decoding_dim).
        source_mask : `torch.BoolTensor`
            Shape (group, source steps).
        previous_steps_predictions : `torch.Tensor`
            Embeddings of the words so far, shape (group, steps, target_embedding_dim). Only the
            last is read: the state knows the others.
        previous_steps_mask : `Optional[torch.BoolTensor]`
            Not used.

        # Returns

        `Tuple[Dict[str, torch.Tensor], torch.Tensor]`
            The new state and the output vector, shape (group, decoding_dim).
        """
        hidden, memory_cell = self._read_state(previous_state)
        # shape: (group, target_embedding_dim)
        cell_input = previous_steps_predictions[:, -1]
        if self._attentional_layer is not None:
            cell_input = torch.cat((previous_state["attentional_hidden"], cell_input), -1)
        elif self._attention is not None:
            attended = self._attend(hidden[-1], encoder_outputs, source_mask)
            cell_input = torch.cat((attended, cell_input), -1)

        state = hidden if memory_cell is None else (hidden, memory_cell)
        # shape: (group, 1, decoding_dim)
        output, state = self._decoder_cell(cell_input.unsqueeze(1), state)
        hidden, memory_cell = state if self._has_memory_cell else (state, None)
        # shape: (group, decoding_dim)
        output = output.squeeze(1)

        attentional = None
        if self._attentional_layer is not None:
            attended = self._attend(output, encoder_outputs, source_mask)
            output = torch.tanh(self._attentional_layer(torch.cat((attended, output), -1)))
            # What is fed is what leaves the decoder, dropout included, as in OpenNMT.
            attentional = output = self._dropout(output)
        else:
            output = self._dropout(output)
        return self._write_state(hidden, memory_cell, attentional), output

    @property
    def _has_memory_cell(self) -> bool:
        return self.ablation.has_memory_cell

    def _attend(
        self, query: torch.Tensor, encoder_outputs: torch.Tensor, source_mask: torch.BoolTensor
    ) -> torch.Tensor:
        """The average of the encoder's outputs that a query of shape (group, D) attends to."""
        assert self._attention is not None
        # shape: (group, source steps)
        weights = self._attention(query, encoder_outputs, source_mask)
        return util.weighted_sum(encoder_outputs, weights)

    def _write_state(
        self,
        hidden: torch.Tensor,
        memory_cell: Optional[torch.Tensor],
        attentional: Optional[torch.Tensor],
    ) -> DecoderState:
        """The state of the beam search, from states of shape (layers, group, decoding_dim)."""
        state = {"decoder_hidden": hidden}
        if memory_cell is not None:
            state["decoder_context"] = memory_cell
        if self._decoder_cell.num_layers == 1:
            state = {name: tensor.squeeze(0) for name, tensor in state.items()}
        if attentional is not None:
            state["attentional_hidden"] = attentional
        return state

    def _read_state(self, state: DecoderState) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        hidden = state["decoder_hidden"]
        memory_cell = state["decoder_context"] if self._has_memory_cell else None
        if self._decoder_cell.num_layers == 1:
            hidden = hidden.unsqueeze(0)
            memory_cell = None if memory_cell is None else memory_cell.unsqueeze(0)
        return hidden, memory_cell


for _ablation in ABLATIONS.values():
    _name = f"lstm_cell_{_ablation.key}"
    _class_name = "".join(word.capitalize() for word in _name.split("_")) + "DecoderNet"
    _members = {
        "ablation": _ablation,
        "__module__": __name__,
        "__doc__": f"The `LstmCellDecoderNet` of the {_ablation.paper_name} of Levy et al. 2018. "
        f'Registered as a `DecoderNet` with name "{_name}".',
    }
    globals()[_class_name] = DecoderNet.register(_name)(
        type(_class_name, (LstmCellDecoderNet,), _members)
    )
