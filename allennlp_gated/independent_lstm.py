"""`IndependentLstm`: a forward and a backward stack that never see one another."""

from typing import List, Optional, Tuple, Union

import torch

from allennlp_gated.ablation import Ablation
from allennlp_gated.lstm import AblatedLstm
from allennlp_gated.recurrent_module import HiddenState


class IndependentLstm(torch.nn.Module):
    """
    A forward and a backward stack of LSTM layers that meet only at the output. In a bidirectional
    LSTM of several layers each direction sees the other one below it, and through it the very
    words that a language model has to predict; here it does not.

    # Parameters

    ablation : `Union[str, Ablation]`
        Which LSTM: a key of `allennlp_gated.ablation.ABLATIONS`, or a row of one's own.
    input_size : `int`
        Features of the input.
    hidden_size : `int`
        Memory cells of a layer and direction.
    num_layers : `int`, optional (default = `1`)
        How many layers each stack has.
    bias : `bool`, optional (default = `True`)
        Whether there are biases.
    dropout : `float`, optional (default = `0.0`)
        Probability with which an output of a layer is dropped below the next one.
    projection_size : `int`, optional (default = `None`)
        If given, the hidden states are projected to this size before they recur.
    """

    batch_first = True
    bidirectional = True
    num_directions = 2

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        *,
        projection_size: Optional[int] = None,
    ) -> None:
        super().__init__()
        self.forward_lstm, self.backward_lstm = (
            AblatedLstm(
                ablation,
                input_size,
                hidden_size,
                num_layers=num_layers,
                bias=bias,
                dropout=dropout,
                projection_size=projection_size,
            )
            for _ in range(2)
        )
        self.backward_lstm.reverse = True
        self.ablation = self.forward_lstm.ablation
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.output_size = self.forward_lstm.output_size

    def forward(
        self,
        inputs: torch.Tensor,
        hidden_state: Optional[HiddenState] = None,
        lengths: Optional[torch.Tensor] = None,
    ) -> Tuple[torch.Tensor, HiddenState]:
        """
        As `AblatedLstm.forward` of a bidirectional stack, of shapes (B, T, I) to (B, T, 2 * P).
        The states are those of layer 0 forward, layer 0 backward, layer 1 forward, and so on.
        """
        layers, final_state = self.forward_all_layers(inputs, hidden_state, lengths)
        return layers[-1], final_state

    def forward_all_layers(
        self,
        inputs: torch.Tensor,
        hidden_state: Optional[HiddenState] = None,
        lengths: Optional[torch.Tensor] = None,
    ) -> Tuple[List[torch.Tensor], HiddenState]:
        """
        As `forward`, but with every layer's hidden states, each of shape (B, T, 2 * P), lowest
        layer first.
        """
        initial: List[Optional[HiddenState]] = [None, None]
        if isinstance(hidden_state, torch.Tensor):
            initial = [hidden_state[0::2], hidden_state[1::2]]
        elif hidden_state is not None:
            initial = [[one[start::2] for one in hidden_state] for start in (0, 1)]
        forward_layers, forward_state = self.forward_lstm.forward_all_layers(
            inputs, initial[0], lengths
        )
        backward_layers, backward_state = self.backward_lstm.forward_all_layers(
            inputs, initial[1], lengths
        )
        layers = [torch.cat(pair, -1) for pair in zip(forward_layers, backward_layers)]
        if isinstance(forward_state, torch.Tensor) and isinstance(backward_state, torch.Tensor):
            return layers, _interleave(forward_state, backward_state)
        return layers, tuple(_interleave(*pair) for pair in zip(forward_state, backward_state))


def _interleave(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    """Stack two tensors of shape (layers, B, size) into (2 * layers, B, size), layer by layer."""
    return torch.stack([forward, backward], 1).flatten(0, 1)
