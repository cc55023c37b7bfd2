"""
The ablated counterparts of AllenNLP's `AugmentedLstm`, `StackedAlternatingLstm` and
`StackedBidirectionalLstm`: recurrent (variational) dropout, and highway connections if wanted.
Their parameters have AllenNLP's names, so that a `full` one loads a stock one's `state_dict`.
"""

import warnings
from typing import List, Optional, Sequence, Union

import torch
from allennlp.modules.augmented_lstm import AugmentedLstm
from allennlp.modules.input_variational_dropout import InputVariationalDropout
from allennlp.modules.stacked_alternating_lstm import StackedAlternatingLstm
from allennlp.modules.stacked_bidirectional_lstm import StackedBidirectionalLstm
from allennlp.nn.initializers import block_orthogonal
from allennlp.nn.util import get_dropout_mask

from allennlp_gated.ablation import FORGET_GATE, HIGHWAY_INPUT, Ablation, Blocks
from allennlp_gated.checks import check_dropout
from allennlp_gated.parameters import block_parameter, named_blocks
from allennlp_gated.recurrence import Direction, State
from allennlp_gated.recurrent_module import HiddenState, RecurrentModule


class BlockLinear(torch.nn.Module):
    """
    Holds the weight and the bias of a linear map that may each stack other blocks, or none.

    # Parameters

    weight_blocks : `Tuple[str, ...]`
        The blocks of the weight; if there are none, `weight` is `None`.
    bias_blocks : `Tuple[str, ...]`
        The blocks of the bias; if there are none, `bias` is `None`.
    block_size : `int`
        Rows of a block.
    in_features : `int`
        Columns of the weight.
    """

    def __init__(
        self, weight_blocks: Blocks, bias_blocks: Blocks, block_size: int, in_features: int
    ) -> None:
        super().__init__()
        self.weight = block_parameter(weight_blocks, block_size, in_features)
        self.bias = block_parameter(bias_blocks, block_size)
        if self.weight is not None:
            block_orthogonal(self.weight.data, [block_size, in_features])
        if self.bias is not None:
            # The bound of torch.nn.Linear, which is what the stock modules start from.
            bound = in_features**-0.5
            torch.nn.init.uniform_(self.bias, -bound, bound)


class AugmentedCell(torch.nn.Module):
    """
    The parameters of one layer and direction, under AllenNLP's names: `input_linearity` sees x,
    `state_linearity` sees h. Each has a bias; that of `state_linearity` starts at 1 for the forget
    gate and at 0 elsewhere (Jozefowicz et al. 2015), also where no gate sees h.

    # Parameters

    ablation : `Ablation`
        Which LSTM.
    input_size : `int`
        Features of the input.
    hidden_size : `int`
        Memory cells.
    use_highway : `bool`
        Whether there are the blocks of a highway connection.
    use_input_projection_bias : `bool`
        Whether `input_linearity` has a bias.
    """

    def __init__(
        self,
        ablation: Ablation,
        input_size: int,
        hidden_size: int,
        use_highway: bool,
        use_input_projection_bias: bool,
    ) -> None:
        super().__init__()
        layout = ablation.layout_with(use_highway)
        self._bias_rows = len(layout.bias_blocks) * hidden_size
        self.input_linearity = BlockLinear(
            layout.input_blocks,
            layout.bias_blocks if use_input_projection_bias else (),
            hidden_size,
            input_size,
        )
        # The value that a highway carries is not computed from h: it has no bias on that side.
        state_bias_blocks = tuple(one for one in layout.bias_blocks if one != HIGHWAY_INPUT)
        self.state_linearity = BlockLinear(
            layout.hidden_blocks, state_bias_blocks, hidden_size, hidden_size
        )
        assert self.state_linearity.bias is not None
        for block, values in named_blocks(self.state_linearity.bias, state_bias_blocks):
            values.fill_(1.0 if block == FORGET_GATE else 0.0)

    def direction(self, reverse: bool, hidden_dropout_mask: Optional[torch.Tensor]) -> Direction:
        """The parameters as the recurrence takes them, the two biases added up."""
        bias: Optional[torch.Tensor] = self.state_linearity.bias
        assert bias is not None and self.input_linearity.weight is not None
        if bias.shape[0] < self._bias_rows:
            bias = torch.nn.functional.pad(bias, (0, self._bias_rows - bias.shape[0]))
        if self.input_linearity.bias is not None:
            bias = bias + self.input_linearity.bias
        return Direction(
            weight_ih=self.input_linearity.weight,
            weight_hh=self.state_linearity.weight,
            bias=bias,
            hidden_dropout_mask=hidden_dropout_mask,
            reverse=reverse,
        )


class AugmentedLayer(torch.nn.Module):
    """Holds a `cell`, so that the parameters of a stack have the paths that AllenNLP gives them."""

    def __init__(self, cell: AugmentedCell) -> None:
        super().__init__()
        self.cell = cell


class AugmentedModule(RecurrentModule):
    """
    What the three families share. Subclasses build the cells and say which belong to a layer.

    # Parameters

    ablation : `Union[str, Ablation]`
        Which LSTM: a key of `allennlp_gated.ablation.ABLATIONS`, or a row of one's own.
    input_size : `int`
        Features of the input, I.
    hidden_size : `int`
        Memory cells of a layer and direction, H.
    num_layers : `int`
        How many layers.
    bidirectional : `bool`
        Whether each layer runs in both directions.
    recurrent_dropout_probability : `float`
        Probability with which an element of h_{t-1} is dropped, for a whole sequence, where it
        enters a matrix product. Where nothing sees h there is no such product, and a warning
        says so.
    use_highway : `bool`
        Whether each layer has a highway connection around it. Its gate is not the LSTM's: ablation
        studies set this to `False`.
    use_input_projection_bias : `bool`
        Whether `input_linearity` has a bias, beside that of `state_linearity`.
    """

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bidirectional: bool,
        recurrent_dropout_probability: float,
        use_highway: bool,
        use_input_projection_bias: bool,
    ) -> None:
        super().__init__(ablation, input_size, hidden_size, num_layers, bidirectional)
        check_dropout("recurrent_dropout_probability", recurrent_dropout_probability)
        if recurrent_dropout_probability > 0 and not self.ablation.sees_hidden:
            warnings.warn(
                f"recurrent_dropout_probability: nothing in {self.ablation.key} sees the hidden "
                "state of the step before, so there is nothing to drop",
                stacklevel=4,
            )
        self.recurrent_dropout_probability = recurrent_dropout_probability
        self.highway = use_highway
        self.use_input_projection_bias = use_input_projection_bias

    def _new_cell(self, input_size: int) -> AugmentedCell:
        return AugmentedCell(
            self.ablation,
            input_size,
            self.hidden_size,
            self.highway,
            self.use_input_projection_bias,
        )

    def _cells(self, layer: int) -> Sequence[AugmentedCell]:
        """The cells of a layer, one for each direction."""
        raise NotImplementedError

    def _is_reverse(self, layer: int, direction: int) -> bool:
        """Whether a direction of a layer runs from each row's last step to its first."""
        return direction == 1

    def _directions(self, layer: int, inputs: torch.Tensor) -> List[Direction]:
        return [
            cell.direction(self._is_reverse(layer, index), self._draw_dropout_mask(inputs))
            for index, cell in enumerate(self._cells(layer))
        ]

    def _draw_dropout_mask(self, inputs: torch.Tensor) -> Optional[torch.Tensor]:
        active = self.training and self.ablation.sees_hidden
        if not active or self.recurrent_dropout_probability == 0:
            return None
        like = inputs.new_empty(inputs.shape[1], self.hidden_size)
        return get_dropout_mask(self.recurrent_dropout_probability, like).to(like)

    def extra_repr(self) -> str:
        return (
            f"{self.ablation.key}, {self.input_size}, {self.hidden_size}, "
            f"num_layers={self.num_layers}, use_highway={self.highway}"
        )

    def _take_weights(self, module: torch.nn.Module) -> None:
        self.to(next(module.parameters()))
        self.load_state_dict(module.state_dict())
        self.train(module.training)


class AblatedAugmentedLstm(AugmentedModule):
    """
    One layer in one direction: the counterpart of `allennlp.modules.augmented_lstm.AugmentedLstm`.
    Parameters as for `AugmentedModule`, and:

    # Parameters

    go_forward : `bool`, optional (default = `True`)
        Whether the layer runs from the first step to the last, and not the other way.
    """

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        go_forward: bool = True,
        recurrent_dropout_probability: float = 0.0,
        use_highway: bool = True,
        use_input_projection_bias: bool = True,
    ) -> None:
        super().__init__(
            ablation,
            input_size,
            hidden_size,
            num_layers=1,
            bidirectional=False,
            recurrent_dropout_probability=recurrent_dropout_probability,
            use_highway=use_highway,
            use_input_projection_bias=use_input_projection_bias,
        )
        self.go_forward = go_forward
        self.cell = self._new_cell(input_size)

    @classmethod
    def from_stock(cls, module: AugmentedLstm) -> "AblatedAugmentedLstm":
        """The `full` one that computes what AllenNLP's module does, with copies of its weights."""
        ours = cls(
            "full",
            module.embed_dim,
            module.lstm_dim,
            module.go_forward,
            module.recurrent_dropout_probability,
            module.use_highway,
            module.cell.use_bias,
        )
        ours._take_weights(module)
        return ours

    def _cells(self, layer: int) -> Sequence[AugmentedCell]:
        return [self.cell]

    def _is_reverse(self, layer: int, direction: int) -> bool:
        return not self.go_forward


class AblatedStackedAlternatingLstm(AugmentedModule):
    """
    Layers of one direction each, forward and backward in turn: the counterpart of
    `allennlp.modules.stacked_alternating_lstm.StackedAlternatingLstm`. Parameters as for
    `AugmentedModule`.
    """

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        recurrent_dropout_probability: float = 0.0,
        use_highway: bool = True,
        use_input_projection_bias: bool = True,
    ) -> None:
        super().__init__(
            ablation,
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=False,
            recurrent_dropout_probability=recurrent_dropout_probability,
            use_highway=use_highway,
            use_input_projection_bias=use_input_projection_bias,
        )
        for layer in range(num_layers):
            below = input_size if layer == 0 else hidden_size
            self.add_module(f"layer_{layer}", AugmentedLayer(self._new_cell(below)))

    @classmethod
    def from_stock(cls, module: StackedAlternatingLstm) -> "AblatedStackedAlternatingLstm":
        """The `full` one that computes what AllenNLP's module does, with copies of its weights."""
        first = module.lstm_layers[0]
        ours = cls(
            "full",
            module.input_size,
            module.hidden_size,
            module.num_layers,
            first.recurrent_dropout_probability,
            first.use_highway,
            first.cell.use_bias,
        )
        ours._take_weights(module)
        return ours

    def _cells(self, layer: int) -> Sequence[AugmentedCell]:
        return [getattr(self, f"layer_{layer}").cell]

    def _is_reverse(self, layer: int, direction: int) -> bool:
        return layer % 2 == 1


class AblatedStackedBidirectionalLstm(AugmentedModule):
    """
    Layers of two directions each: the counterpart of
    `allennlp.modules.stacked_bidirectional_lstm.StackedBidirectionalLstm`. Parameters as for
    `AugmentedModule`, and:

    # Parameters

    layer_dropout_probability : `float`, optional (default = `0.0`)
        Probability with which a feature is dropped, at all steps of a sequence, below each layer
        but the first.
    """

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int,
        recurrent_dropout_probability: float = 0.0,
        layer_dropout_probability: float = 0.0,
        use_highway: bool = True,
    ) -> None:
        super().__init__(
            ablation,
            input_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=True,
            recurrent_dropout_probability=recurrent_dropout_probability,
            use_highway=use_highway,
            use_input_projection_bias=False,
        )
        check_dropout("layer_dropout_probability", layer_dropout_probability)
        self.layer_dropout_probability = layer_dropout_probability
        for layer in range(num_layers):
            below = input_size if layer == 0 else 2 * hidden_size
            for name in ("forward", "backward"):
                self.add_module(f"{name}_layer_{layer}", AugmentedLayer(self._new_cell(below)))
        self.layer_dropout = InputVariationalDropout(layer_dropout_probability)

    @classmethod
    def from_stock(cls, module: StackedBidirectionalLstm) -> "AblatedStackedBidirectionalLstm":
        """The `full` one that computes what AllenNLP's module does, with copies of its weights."""
        first = module.lstm_layers[0][0]
        ours = cls(
            "full",
            module.input_size,
            module.hidden_size,
            module.num_layers,
            first.recurrent_dropout_probability,
            module.layer_dropout.p,
            first.use_highway,
        )
        ours._take_weights(module)
        return ours

    def _cells(self, layer: int) -> Sequence[AugmentedCell]:
        return [getattr(self, f"{name}_layer_{layer}").cell for name in ("forward", "backward")]

    def _between_layers(self, outputs: torch.Tensor) -> torch.Tensor:
        # The dropout draws one mask for all steps, which it expects in the second dimension.
        return self.layer_dropout(outputs.transpose(0, 1)).transpose(0, 1)

    def _read_state(
        self, hidden_state: Optional[HiddenState], batch_size: int
    ) -> Sequence[Optional[State]]:
        # The stock module takes one state a layer and starts both directions from it.
        if hidden_state is not None:
            tensors = [hidden_state] if isinstance(hidden_state, torch.Tensor) else hidden_state
            hidden_state = [
                one.repeat_interleave(2, 0) if one.shape[0] == self.num_layers else one
                for one in tensors
            ]
        return super()._read_state(hidden_state, batch_size)
