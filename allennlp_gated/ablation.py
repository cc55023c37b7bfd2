"""
The table of section 3 of Levy et al. 2018, "Long Short-Term Memory as a Dynamically Computed
Element-wise Weighted Sum" (https://arxiv.org/abs/1805.03716), as data.

This is the one place that knows which parts an ablation has. A row says which blocks of parameters
see the input x, which see the hidden state h, and which have a bias; everything else about an
ablation follows from that.
"""

from dataclasses import dataclass
from typing import Dict, Tuple

from allennlp.common.checks import ConfigurationError

INPUT_GATE = "input_gate"
FORGET_GATE = "forget_gate"
CONTENT = "content"
OUTPUT_GATE = "output_gate"
HIGHWAY_GATE = "highway_gate"
HIGHWAY_INPUT = "highway_input"

Blocks = Tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """
    Which blocks of `hidden_size` rows a layer's parameters stack, in order.

    # Parameters

    input_blocks : `Tuple[str, ...]`
        The blocks of the matrix that sees x, `weight_ih`.
    hidden_blocks : `Tuple[str, ...]`
        The blocks of the matrix that sees h, `weight_hh`; empty where there is no such matrix.
    bias_blocks : `Tuple[str, ...]`
        The blocks of the bias.
    """

    input_blocks: Blocks
    hidden_blocks: Blocks
    bias_blocks: Blocks


@dataclass(frozen=True)
class Ablation:
    """
    One row of the table: an LSTM, or what is left of it.

    # Parameters

    key : `str`
        The name by which configs choose it, e.g. `no_srnn`.
    paper_name : `str`
        The name that the paper gives it.
    description : `str`
        What changes against the LSTM, in a few words.
    layout : `Layout`
        The blocks of its parameters.
    """

    key: str
    paper_name: str
    description: str
    layout: Layout

    @property
    def has_memory_cell(self) -> bool:
        """Whether equations 3-5 are there: an input gate and a forget gate feed a memory cell."""
        return FORGET_GATE in self.layout.input_blocks

    @property
    def has_output_gate(self) -> bool:
        """Whether equation 6 is there."""
        return OUTPUT_GATE in self.layout.input_blocks

    @property
    def has_recurrent_content(self) -> bool:
        """Whether the content layer is the S-RNN of equation 2; if not, it is linear in x."""
        return CONTENT in self.layout.hidden_blocks

    @property
    def sees_hidden(self) -> bool:
        """Whether anything sees h_{t-1}: if not, there is no `weight_hh`."""
        return bool(self.layout.hidden_blocks)

    @property
    def state_names(self) -> Tuple[str, ...]:
        """The names of the states carried from step to step, in the order of `nn.LSTM`."""
        return ("hidden", "memory_cell") if self.has_memory_cell else ("hidden",)

    def layout_with(self, highway: bool) -> Layout:
        """
        The layout of a layer that may have a highway connection around it.

        # Parameters

        highway : `bool`
            Whether there is one. Its gate sees h where anything does, and its value sees x alone.

        # Returns

        `Layout`
            The blocks; those of the highway follow after the LSTM's own.
        """
        if not highway:
            return self.layout
        gate_sees_hidden = (HIGHWAY_GATE,) if self.sees_hidden else ()
        return Layout(
            input_blocks=self.layout.input_blocks + (HIGHWAY_GATE, HIGHWAY_INPUT),
            hidden_blocks=self.layout.hidden_blocks + gate_sees_hidden,
            bias_blocks=self.layout.bias_blocks + (HIGHWAY_GATE, HIGHWAY_INPUT),
        )


_LSTM_BLOCKS = (INPUT_GATE, FORGET_GATE, CONTENT, OUTPUT_GATE)
_GATES = (INPUT_GATE, FORGET_GATE, OUTPUT_GATE)

_ROWS = (
    Ablation(
        "full",
        "LSTM",
        "nothing changes: equations 2-7",
        Layout(_LSTM_BLOCKS, _LSTM_BLOCKS, _LSTM_BLOCKS),
    ),
    Ablation(
        "no_srnn",
        "LSTM - S-RNN",
        "the content layer is linear in x",
        Layout(_LSTM_BLOCKS, _GATES, _GATES),
    ),
    Ablation(
        "no_srnn_no_out",
        "LSTM - S-RNN - OUT",
        "no_srnn without the output gate",
        Layout(
            (INPUT_GATE, FORGET_GATE, CONTENT),
            (INPUT_GATE, FORGET_GATE),
            (INPUT_GATE, FORGET_GATE),
        ),
    ),
    Ablation(
        "no_srnn_no_hidden",
        "LSTM - S-RNN - HIDDEN",
        "no_srnn whose gates see x alone",
        Layout(_LSTM_BLOCKS, (), _GATES),
    ),
    Ablation(
        "no_gates",
        "LSTM - GATES",
        "the S-RNN of equation 1 alone",
        Layout((CONTENT,), (CONTENT,), (CONTENT,)),
    ),
)

ABLATIONS: Dict[str, Ablation] = {row.key: row for row in _ROWS}


def get_ablation(key: str) -> Ablation:
    """
    # Parameters

    key : `str`
        A key of the table.

    # Returns

    `Ablation`
        Its row.

    # Raises

    `ConfigurationError`
        If there is no such key; the message lists those that there are.
    """
    try:
        return ABLATIONS[key]
    except KeyError:
        raise ConfigurationError(
            f"ablation: {key!r} is not a key; choose one of {', '.join(ABLATIONS)}"
        ) from None
