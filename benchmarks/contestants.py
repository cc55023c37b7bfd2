"""The layers that are compared: ours, the stock ones, and others' fast ones."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from allennlp.modules.seq2seq_encoders import Seq2SeqEncoder

from allennlp_gated import recurrent_module
from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import batched, reference


class Shape(NamedTuple):
    """B rows of T steps, I inputs, H memory cells, one or two directions."""

    batch_size: int
    steps: int
    input_size: int
    hidden_size: int
    bidirectional: bool


# From the stock configs and the paper's set-ups.
SHAPES: Dict[str, Shape] = {
    "parser": Shape(32, 30, 200, 400, True),
    "bidaf_phrase": Shape(40, 150, 200, 100, True),
    "bidaf_modeling": Shape(40, 150, 800, 100, True),
    "ptb_medium": Shape(20, 35, 650, 650, False),
    "opennmt": Shape(64, 50, 500, 500, False),
}


class Problem:
    """
    One shape, dense or ragged, and everybody's way of computing it.

    # Parameters

    shape : `Shape`
        The sizes.
    ragged : `bool`
        Whether lengths are spread evenly over [T/2, T].
    backward : `bool`
        Whether gradients are computed too.
    """

    def __init__(self, shape: Shape, ragged: bool, backward: bool) -> None:
        torch.manual_seed(0)
        self.shape, self.ragged, self.backward = shape, ragged, backward
        size = (shape.batch_size, shape.steps, shape.input_size)
        self.inputs = torch.randn(size, requires_grad=backward)
        lengths = torch.full((shape.batch_size,), shape.steps)
        if ragged:
            lengths = torch.randint(shape.steps // 2, shape.steps + 1, (shape.batch_size,))
            lengths[0] = shape.steps
        self.mask = torch.arange(shape.steps).unsqueeze(0) < lengths.unsqueeze(1)
        self.valid_steps = int(self.mask.sum())
        self.directions = 2 if shape.bidirectional else 1
        self.grad = torch.randn(*size[:2], self.directions * shape.hidden_size)

    def encoder(self, name: str, **options: Any) -> Callable[[], None]:
        """A registered encoder of one layer."""
        if name.startswith("alternating"):
            options["num_layers"] = 1
        elif name.startswith("stacked"):
            options.update(num_layers=1)
        else:
            options["bidirectional"] = self.shape.bidirectional
        encoder = Seq2SeqEncoder.by_name(name)(
            input_size=self.shape.input_size, hidden_size=self.shape.hidden_size, **options
        )
        return self.of_module(encoder, lambda: encoder(self.inputs, self.mask))

    def nn_lstm(self) -> Callable[[], None]:
        """PyTorch's own, on the dense batch."""
        module = torch.nn.LSTM(
            self.shape.input_size,
            self.shape.hidden_size,
            bidirectional=self.shape.bidirectional,
            batch_first=True,
        )
        return self.of_module(module, lambda: module(self.inputs)[0])

    def through(self, key: str, run_layer: Callable[..., Any]) -> Callable[[], None]:
        """Ours, with another path put in the place of the fast one."""
        encoder = Seq2SeqEncoder.by_name(f"lstm_{key}")(
            input_size=self.shape.input_size,
            hidden_size=self.shape.hidden_size,
            bidirectional=self.shape.bidirectional,
        )

        def forward() -> torch.Tensor:
            before, recurrent_module.run_layer = recurrent_module.run_layer, run_layer
            try:
                return encoder(self.inputs, self.mask)
            finally:
                recurrent_module.run_layer = before

        return self.of_module(encoder, forward)

    def weights(self, key: str) -> List[Tuple[int, int]]:
        """The shapes of one direction's matrices: W_x and, where there is one, W_h."""
        layout, cells = ABLATIONS[key].layout, self.shape.hidden_size
        shapes = [
            (len(layout.input_blocks) * cells, self.shape.input_size),
            (len(layout.hidden_blocks) * cells, cells),
        ]
        return [(rows, columns) for rows, columns in shapes if rows]

    def products(self, key: str) -> Callable[[], None]:
        """
        Nothing but the layer's products, of all valid steps at once, by torch.mm: less than any
        recurrence can do, since a step has to wait for the one before it.
        """
        factors = [
            (torch.randn(self.valid_steps, columns), torch.randn(rows, columns))
            for rows, columns in self.weights(key)
        ]

        def run() -> None:
            for _ in range(self.directions):
                for left, weight in factors:
                    gradient = torch.mm(left, weight.t())
                    if self.backward:
                        torch.mm(gradient, weight)
                        torch.mm(gradient.t(), left)

        return run

    def operations(self, key: str) -> float:
        """Floating-point operations of the products of all valid steps."""
        weights = sum(rows * columns for rows, columns in self.weights(key))
        # A multiplication and an addition; backward as much again for each of the two gradients.
        passes = 3 if self.backward else 1
        return 2.0 * passes * self.directions * weights * self.valid_steps

    def sru(self) -> Optional[Callable[[], None]]:
        """The `sru` package, time first, if it is installed."""
        try:
            from sru import SRU
        except ImportError:
            return None
        module = SRU(
            self.shape.input_size,
            self.shape.hidden_size,
            num_layers=1,
            bidirectional=self.shape.bidirectional,
        )
        return self.of_module(
            module, lambda: module(self.inputs.transpose(0, 1))[0].transpose(0, 1)
        )

    def of_module(
        self, module: torch.nn.Module, forward: Callable[[], torch.Tensor]
    ) -> Callable[[], None]:
        """One training step's share of a layer, or one forward pass without gradients."""
        module.train(self.backward)

        def step() -> None:
            outputs = forward()
            outputs.backward(self.grad[..., : outputs.shape[-1]])
            self.inputs.grad = None
            for parameter in module.parameters():
                parameter.grad = None

        def only_forward() -> None:
            with torch.no_grad():
                forward()

        return step if self.backward else only_forward

    def all(
        self, slow: bool, compiled: Sequence[str], products: bool = False
    ) -> Dict[str, Callable[[], None]]:
        """
        # Parameters

        slow : `bool`
            Whether to include the path in plain PyTorch and the loop in Python.
        compiled : `Sequence[str]`
            The keys of which to include the loop under torch.compile, which unrolls it.
        products : `bool`
            Whether to include what each of ours multiplies, by torch.mm.

        # Returns

        `Dict[str, Callable[[], None]]`
            The contestants by name; ours are named by their keys.
        """
        found: Dict[str, Callable[[], None]] = {"nn.LSTM dense": self.nn_lstm()}
        found["stock lstm"] = self.encoder("lstm")
        dropout = {"recurrent_dropout_probability": 0.3, "use_highway": False}
        if self.shape.bidirectional:
            found["stock stacked_bidirectional_lstm"] = self.encoder(
                "stacked_bidirectional_lstm", **dropout
            )
        else:
            found["stock alternating_lstm"] = self.encoder("alternating_lstm", **dropout)
        for key in ABLATIONS:
            found[key] = self.encoder(f"lstm_{key}")
            if self.shape.bidirectional:
                found[f"{key}, dropout 0.3"] = self.encoder(
                    f"stacked_bidirectional_lstm_{key}", **dropout
                )
        sru = self.sru()
        if sru is not None:
            found["sru"] = sru
        for key in ABLATIONS if products else ():
            found[f"{key}, products by torch.mm"] = self.products(key)
        if slow:
            for key in ABLATIONS:
                found[f"{key}, torch path"] = self.through(key, batched.run_layer)
                found[f"{key}, eager loop"] = self.through(key, reference.run_layer)
        for key in compiled:
            loop = torch.compile(reference.run_layer)
            found[f"{key}, torch.compile"] = self.through(key, loop)
        return found
