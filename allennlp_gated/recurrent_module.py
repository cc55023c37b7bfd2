"""
What all stacks of recurrent layers share: reading inputs, states and lengths, running the layers
one after the other, and letting others look on.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from allennlp_gated.ablation import Ablation, get_ablation
from allennlp_gated.checks import check_size
from allennlp_gated.recurrence import Direction, State, run_layer

Inputs = Union[torch.Tensor, PackedSequence]
HiddenState = Union[torch.Tensor, Sequence[torch.Tensor]]


class LayerCall(NamedTuple):
    """
    What an observer is told of one run of one layer.

    # Parameters

    module : `RecurrentModule`
        The stack that the layer belongs to.
    layer : `int`
        The layer's index, from 0.
    inputs : `torch.Tensor`
        Shape (T, B, I).
    lengths : `Optional[torch.Tensor]`
        Steps of each row, shape (B,); `None` means T for all.
    directions : `List[Direction]`
        The weights, initial states and dropout masks used.
    highway : `bool`
        Whether the layer has a highway connection.
    outputs : `torch.Tensor`
        Shape (T, B, directions * P).
    states : `List[State]`
        Each direction's final state.
    """

    module: "RecurrentModule"
    layer: int
    inputs: torch.Tensor
    lengths: Optional[torch.Tensor]
    directions: List[Direction]
    highway: bool
    outputs: torch.Tensor
    states: List[State]


Observer = Callable[[LayerCall], None]


class ObserverHandle:
    """Ends an observation when `remove` is called, as do the handles of PyTorch's hooks."""

    def __init__(self, observers: List[Observer], observer: Observer) -> None:
        self._observers = observers
        self._observer = observer

    def remove(self) -> None:
        """Stop observing; a second call does nothing."""
        if self._observer in self._observers:
            self._observers.remove(self._observer)


class RecurrentModule(torch.nn.Module):
    """
    A stack of recurrent layers with the interface of `torch.nn.LSTM`, batch first. Subclasses say
    which weights a layer has (`_directions`) and what lies between two layers (`_between_layers`).

    # Parameters

    ablation : `Union[str, Ablation]`
        Which LSTM: a key of `allennlp_gated.ablation.ABLATIONS`, or a row of one's own.
    input_size : `int`
        Features of the input, I.
    hidden_size : `int`
        Memory cells of a layer and direction, H.
    num_layers : `int`, optional (default = `1`)
        How many layers.
    bidirectional : `bool`, optional (default = `False`)
        Whether each layer runs in both directions.

    # Raises

    `ConfigurationError`
        If the key is unknown or a size is below 1.
    """

    batch_first = True
    highway = False

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        check_size("input_size", input_size)
        check_size("hidden_size", hidden_size)
        check_size("num_layers", num_layers)
        self.ablation = get_ablation(ablation) if isinstance(ablation, str) else ablation
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bool(bidirectional)
        self._observers: List[Observer] = []

    @property
    def num_directions(self) -> int:
        """Directions of each layer."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Features that one direction's hidden state has, P."""
        return self.hidden_size

    def add_observer(self, observer: Observer) -> ObserverHandle:
        """
        Have a function called after every run of a layer, with all that went in and came out.

        # Parameters

        observer : `Callable[[LayerCall], None]`
            The function. It must not change the tensors.

        # Returns

        `ObserverHandle`
            Its `remove()` ends the observation.
        """
        self._observers.append(observer)
        return ObserverHandle(self._observers, observer)

    def forward(
        self,
        inputs: Inputs,
        hidden_state: Optional[HiddenState] = None,
        lengths: Optional[torch.Tensor] = None,
    ) -> Tuple[Inputs, HiddenState]:
        """
        # Parameters

        inputs : `Union[torch.Tensor, PackedSequence]`
            Shape (B, T, I), or such a batch packed.
        hidden_state : `Optional[HiddenState]`
            The initial state: a pair (hidden, memory cell), as a tuple or a list, of shapes
            (layers * directions, B, P) and (layers * directions, B, H). Without a memory cell, the
            hidden state alone; in a pair, the memory cell then has nothing to act on. `None` means
            zeros.
        lengths : `Optional[torch.Tensor]`
            How many steps each row has, from 0 to T, in any order, shape (B,); `None` means T for
            all. What lies past a row's length is not read.

        # Returns

        `Tuple[Union[torch.Tensor, PackedSequence], HiddenState]`
            The last layer's hidden states, shape (B, T, directions * P), zero past a row's length
            (packed if the inputs were), and the final state in the form of the initial one: each
            row's at its own last step, or its initial state if it has no step.

        # Raises

        `ConfigurationError`
            If a shape is not as above; the message names the parameter.
        """
        layers, final_state, packed = self._run_layers(inputs, hidden_state, lengths)
        outputs: Inputs = layers[-1]
        if packed is not None:
            outputs = _pack_like(packed, layers[-1])
        return outputs, final_state

    def forward_all_layers(
        self,
        inputs: torch.Tensor,
        hidden_state: Optional[HiddenState] = None,
        lengths: Optional[torch.Tensor] = None,
    ) -> Tuple[List[torch.Tensor], HiddenState]:
        """
        As `forward`, but with every layer's hidden states.

        # Returns

        `Tuple[List[torch.Tensor], HiddenState]`
            For each layer, lowest first, a tensor of shape (B, T, directions * P); and the final
            state.
        """
        layers, final_state, _ = self._run_layers(inputs, hidden_state, lengths)
        return layers, final_state

    def _directions(self, layer: int, inputs: torch.Tensor) -> List[Direction]:
        """The weights and dropout masks of a layer, for inputs of shape (T, B, I)."""
        raise NotImplementedError

    def _between_layers(self, outputs: torch.Tensor) -> torch.Tensor:
        """What becomes of a layer's outputs, shape (T, B, directions * P), below the next layer."""
        return outputs

    def _run_layers(
        self,
        inputs: Inputs,
        hidden_state: Optional[HiddenState],
        lengths: Optional[torch.Tensor],
    ) -> Tuple[List[torch.Tensor], HiddenState, Optional[PackedSequence]]:
        packed = None
        if isinstance(inputs, PackedSequence):
            if lengths is not None:
                raise ConfigurationError("lengths: a PackedSequence brings its own; pass None")
            packed = inputs
            inputs, lengths = pad_packed_sequence(packed, batch_first=True)
        self._check_inputs(inputs, lengths)
        initial_states = self._read_state(hidden_state, inputs.shape[0])

        # shape: (T, B, I)
        below = inputs.transpose(0, 1)
        layers: List[torch.Tensor] = []
        final_states: List[State] = []
        for layer in range(self.num_layers):
            if layer > 0:
                below = self._between_layers(below)
            directions = self._directions(layer, below)
            first = layer * self.num_directions
            directions = [
                one._replace(hidden_0=state.hidden, memory_cell_0=state.memory_cell)
                if state is not None
                else one
                for one, state in zip(directions, initial_states[first:])
            ]
            below, states = self._run_layer(layer, below, lengths, directions)
            layers.append(below.transpose(0, 1))
            final_states.extend(states)
        return layers, self._stack_states(final_states), packed

    def _run_layer(
        self,
        layer: int,
        inputs: torch.Tensor,
        lengths: Optional[torch.Tensor],
        directions: List[Direction],
    ) -> Tuple[torch.Tensor, List[State]]:
        outputs, states = run_layer(self.ablation, inputs, lengths, directions, self.highway)
        for observer in list(self._observers):
            observer(
                LayerCall(self, layer, inputs, lengths, directions, self.highway, outputs, states)
            )
        return outputs, states

    def _check_inputs(self, inputs: torch.Tensor, lengths: Optional[torch.Tensor]) -> None:
        if inputs.dim() != 3 or inputs.shape[-1] != self.input_size:
            raise ConfigurationError(
                f"inputs: shape must be (batch, steps, input_size={self.input_size}), "
                f"not {tuple(inputs.shape)}"
            )
        if lengths is not None and tuple(lengths.shape) != (inputs.shape[0],):
            raise ConfigurationError(
                f"lengths: shape must be (batch={inputs.shape[0]},), not {tuple(lengths.shape)}"
            )

    def _read_state(
        self, hidden_state: Optional[HiddenState], batch_size: int
    ) -> Sequence[Optional[State]]:
        """One initial state for each layer and direction, in the order of `nn.LSTM`."""
        count = self.num_layers * self.num_directions
        if hidden_state is None:
            return [None] * count
        if isinstance(hidden_state, torch.Tensor):
            hidden_state = (hidden_state,)
        names = self.ablation.state_names
        # A model written for an LSTM passes a pair; without a memory cell its second is unused.
        if not len(names) <= len(hidden_state) <= 2:
            raise ConfigurationError(
                f"hidden_state: must be the tensors ({', '.join(names)}) of "
                f"lstm_{self.ablation.key}, not {len(hidden_state)} of them"
            )
        sizes = {"hidden": self.output_size, "memory_cell": self.hidden_size}
        tensors = [
            self._check_state(name, tensor, (count, batch_size, sizes[name]))
            for name, tensor in zip(names, hidden_state)
        ]
        per_direction = list(zip(*(tensor.unbind(0) for tensor in tensors)))
        return [State(one[0], one[1] if len(one) > 1 else None) for one in per_direction]

    def _check_state(
        self, name: str, tensor: torch.Tensor, shape: Tuple[int, int, int]
    ) -> torch.Tensor:
        if tuple(tensor.shape) != shape:
            raise ConfigurationError(
                f"hidden_state: the {name} must have shape (layers * directions={shape[0]}, "
                f"batch={shape[1]}, size={shape[2]}), not {tuple(tensor.shape)}"
            )
        return tensor

    def _stack_states(self, states: List[State]) -> HiddenState:
        hidden = torch.stack([state.hidden for state in states])
        memory_cells = [state.memory_cell for state in states if state.memory_cell is not None]
        return (hidden, torch.stack(memory_cells)) if memory_cells else hidden


def _pack_like(packed: PackedSequence, outputs: torch.Tensor) -> PackedSequence:
    """Pack a tensor of shape (B, T, P) in the order of the rows and steps of `packed`."""
    if packed.sorted_indices is not None:
        outputs = outputs.index_select(0, packed.sorted_indices)
    rows = torch.arange(int(packed.batch_sizes[0]))
    # shape: (B,), longest first
    lengths = (packed.batch_sizes.unsqueeze(0) > rows.unsqueeze(1)).sum(1)
    again = pack_padded_sequence(outputs, lengths, batch_first=True)
    return PackedSequence(
        again.data, again.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    )
