"""
Initializers that know the blocks of a parameter, so that an ablation changes the architecture and
nothing else. On stacked blocks a stock initializer's result depends on how many there are: the
bound of `xavier_uniform` at 400 x 400 is 0.0548 for four blocks and 0.0866 for one, and
`lstm_hidden_bias` takes the second quarter of the rows for the forget gate.
"""

from typing import Any, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.initializers import Initializer

from allennlp_gated.ablation import FORGET_GATE, Blocks
from allennlp_gated.checks import check_size
from allennlp_gated.parameters import blocks_of, named_blocks


@Initializer.register("by_block")
class ByBlockInitializer(Initializer):
    """
    Applies an initializer to each block of a parameter by itself. Registered as an `Initializer`
    with name "by_block":

        [".*weight_ih.*", {"type": "by_block", "initializer": "xavier_uniform"}]

    # Parameters

    initializer : `Initializer`
        What to apply to each block.
    num_blocks : `int`, optional (default = `None`)
        How many blocks to take a parameter for that is not of this package: 4 for the weights of
        `torch.nn.LSTM`. If it is `None`, such a parameter is an error.
    """

    def __init__(self, initializer: Initializer, num_blocks: Optional[int] = None) -> None:
        if num_blocks is not None:
            check_size("num_blocks", num_blocks)
        self._initializer = initializer
        self._num_blocks = num_blocks

    def __call__(self, tensor: torch.Tensor, **kwargs: Any) -> None:
        """
        # Parameters

        tensor : `torch.Tensor`
            A parameter, shape (blocks * H, ...). It is changed in place.

        # Raises

        `ConfigurationError`
            If the parameter does not know its blocks and `num_blocks` is `None` or does not divide
            its rows.
        """
        blocks = blocks_of(tensor)
        if blocks is None:
            blocks = self._assumed_blocks(tensor, kwargs.get("parameter_name"))
        for _, values in named_blocks(tensor, blocks):
            self._initializer(values, **kwargs)

    def _assumed_blocks(self, tensor: torch.Tensor, name: Optional[str]) -> Blocks:
        if self._num_blocks is None or tensor.shape[0] % self._num_blocks != 0:
            raise ConfigurationError(
                f"num_blocks: {name} is no parameter of allennlp_gated and has {tensor.shape[0]} "
                f"rows; give a number of blocks that divides them, not {self._num_blocks}"
            )
        return ("block",) * self._num_blocks


@Initializer.register("forget_gate_bias")
class ForgetGateBiasInitializer(Initializer):
    """
    Sets the bias of the forget gate to a value and all others to 0, for any ablation (Jozefowicz
    et al. 2015). Registered as an `Initializer` with name "forget_gate_bias".

    # Parameters

    value : `float`, optional (default = `1.0`)
        The forget gate's bias.
    """

    def __init__(self, value: float = 1.0) -> None:
        self._value = value

    def __call__(self, tensor: torch.Tensor, **kwargs: Any) -> None:
        """
        # Parameters

        tensor : `torch.Tensor`
            A bias, shape (blocks * H,). It is changed in place.

        # Raises

        `ConfigurationError`
            If the parameter is not a bias that knows its blocks.
        """
        blocks = blocks_of(tensor)
        if blocks is None or tensor.dim() != 1:
            raise ConfigurationError(
                f"forget_gate_bias: {kwargs.get('parameter_name')} is no bias of allennlp_gated; "
                "for the bias_hh of torch.nn.LSTM use lstm_hidden_bias"
            )
        for block, values in named_blocks(tensor, blocks):
            values.fill_(self._value if block == FORGET_GATE else 0.0)
