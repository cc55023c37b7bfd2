"""`AblatedLstm`: `torch.nn.LSTM` with any of its parts taken out."""

import math
from typing import Iterator, List, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError

from allennlp_gated.ablation import Ablation
from allennlp_gated.checks import check_dropout, check_size
from allennlp_gated.parameters import block_parameter
from allennlp_gated.recurrence import Direction
from allennlp_gated.recurrent_module import RecurrentModule


class AblatedLstm(RecurrentModule):
    """
    A stack of LSTM layers, ablated as Levy et al. 2018 do. As in `torch.nn.LSTM`, each layer sees
    all directions of the layer below, and the default initialisation is uniform in
    +-1 / sqrt(hidden_size) whatever the ablation.

    Layer k has the parameters `weight_ih_l{k}`, `weight_hh_l{k}` and `bias_l{k}` (one bias, as in
    the paper), with `_reverse` for the backward direction. They stack the blocks that the
    ablation's layout names; where it names none, the parameter is `None`.

    # Parameters

    ablation : `Union[str, Ablation]`
        Which LSTM: a key of `allennlp_gated.ablation.ABLATIONS`, or a row of one's own.
    input_size : `int`
        Features of the input, I.
    hidden_size : `int`
        Memory cells of a layer and direction, H.
    num_layers : `int`, optional (default = `1`)
        How many layers.
    bias : `bool`, optional (default = `True`)
        Whether there are biases.
    dropout : `float`, optional (default = `0.0`)
        Probability with which an output of a layer is dropped below the next one.
    bidirectional : `bool`, optional (default = `False`)
        Whether each layer runs in both directions.
    projection_size : `int`, optional (default = `None`)
        If given, the hidden state is projected to this size, P, before it recurs and leaves the
        layer (`weight_hr_l{k}`, the `proj_size` of `torch.nn.LSTM`).

    # Raises

    `ConfigurationError`
        If a parameter is not allowed; the message names it.
    """

    # Whether a stack of one direction runs from each row's last step to its first.
    reverse = False

    def __init__(
        self,
        ablation: Union[str, Ablation],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        projection_size: Optional[int] = None,
    ) -> None:
        super().__init__(ablation, input_size, hidden_size, num_layers, bidirectional)
        check_dropout("dropout", dropout)
        if projection_size is not None:
            check_size("projection_size", projection_size)
            if projection_size >= hidden_size:
                raise ConfigurationError(
                    f"projection_size: must be smaller than hidden_size={hidden_size}, "
                    f"not {projection_size}"
                )
        self.bias = bias
        self.dropout = dropout
        self.projection_size = projection_size

        layout = self.ablation.layout
        for suffix, layer_input_size in self._suffixes():
            parameters = {
                "weight_ih": block_parameter(layout.input_blocks, hidden_size, layer_input_size),
                "weight_hh": block_parameter(layout.hidden_blocks, hidden_size, self.output_size),
                "bias": block_parameter(layout.bias_blocks if bias else (), hidden_size),
            }
            if projection_size is not None:
                parameters["weight_hr"] = torch.nn.Parameter(
                    torch.empty(projection_size, hidden_size)
                )
            for name, parameter in parameters.items():
                self.register_parameter(name + suffix, parameter)
        self.reset_parameters()

    @property
    def output_size(self) -> int:
        return self.projection_size or self.hidden_size

    def reset_parameters(self) -> None:
        """Draw every parameter as `torch.nn.LSTM` does, uniformly in +-1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            torch.nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        return (
            f"{self.ablation.key}, {self.input_size}, {self.hidden_size}, "
            f"num_layers={self.num_layers}, bidirectional={self.bidirectional}"
        )

    @classmethod
    def from_torch(cls, module: torch.nn.RNNBase) -> "AblatedLstm":
        """
        # Parameters

        module : `Union[torch.nn.LSTM, torch.nn.RNN]`
            An LSTM, or an RNN with the nonlinearity tanh.

        # Returns

        `AblatedLstm`
            `full` or `no_gates`, with copies of its weights and the sums of its two biases. It
            computes the same function; its inputs are batch first.

        # Raises

        `ConfigurationError`
            If the module is neither.
        """
        if isinstance(module, torch.nn.LSTM):
            key = "full"
        elif isinstance(module, torch.nn.RNN) and module.nonlinearity == "tanh":
            key = "no_gates"
        else:
            raise ConfigurationError(
                f"module: must be a torch.nn.LSTM or a torch.nn.RNN with tanh, not {module}"
            )
        ours = cls(
            key,
            module.input_size,
            module.hidden_size,
            num_layers=module.num_layers,
            bias=module.bias,
            dropout=module.dropout,
            bidirectional=module.bidirectional,
            projection_size=module.proj_size or None,
        ).to(next(module.parameters()))
        ours.train(module.training)
        with torch.no_grad():
            for suffix, _ in ours._suffixes():
                for name in ours._matrix_names():
                    getattr(ours, name + suffix).copy_(getattr(module, name + suffix))
                if ours.bias:
                    bias = getattr(module, "bias_ih" + suffix) + getattr(module, "bias_hh" + suffix)
                    getattr(ours, "bias" + suffix).copy_(bias)
        return ours

    def to_torch(self) -> torch.nn.RNNBase:
        """
        # Returns

        `Union[torch.nn.LSTM, torch.nn.RNN]`
            The module of PyTorch's that computes the same function, batch first, with copies of
            the weights; the biases are in `bias_ih`, and `bias_hh` is zero.

        # Raises

        `ConfigurationError`
            If PyTorch has none: the ablation is neither `full` nor `no_gates`, `reverse` is set, or
            the hidden state of `no_gates` is projected.
        """
        classes = {"full": torch.nn.LSTM, "no_gates": torch.nn.RNN}
        has_projection = self.projection_size is not None
        if (
            self.ablation.key not in classes
            or self.reverse
            or (has_projection and self.ablation.key != "full")
        ):
            raise ConfigurationError(
                f"ablation: PyTorch has no module for {self.ablation.key!r}"
                f"{' in reverse' if self.reverse else ''}"
                f"{' with a projection' if has_projection else ''}; it has {', '.join(classes)}"
            )
        # nn.RNN refuses proj_size, even zero.
        projection = {"proj_size": self.projection_size} if self.projection_size else {}
        theirs = classes[self.ablation.key](
            self.input_size,
            self.hidden_size,
            num_layers=self.num_layers,
            bias=self.bias,
            batch_first=True,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            **projection,
        ).to(next(self.parameters()))
        theirs.train(self.training)
        with torch.no_grad():
            for suffix, _ in self._suffixes():
                for name in self._matrix_names():
                    getattr(theirs, name + suffix).copy_(getattr(self, name + suffix))
                if self.bias:
                    getattr(theirs, "bias_ih" + suffix).copy_(getattr(self, "bias" + suffix))
                    getattr(theirs, "bias_hh" + suffix).zero_()
        return theirs

    def _suffixes(self) -> Iterator[Tuple[str, int]]:
        """For each layer and direction the end of its parameters' names, and its input size."""
        for layer in range(self.num_layers):
            below = self.input_size if layer == 0 else self.output_size * self.num_directions
            for direction in ("", "_reverse")[: self.num_directions]:
                yield f"_l{layer}{direction}", below

    def _matrix_names(self) -> List[str]:
        names = ["weight_ih", "weight_hh"]
        return names if self.projection_size is None else names + ["weight_hr"]

    def _directions(self, layer: int, inputs: torch.Tensor) -> List[Direction]:
        directions = []
        for suffix in ("", "_reverse")[: self.num_directions]:
            suffix = f"_l{layer}{suffix}"
            directions.append(
                Direction(
                    weight_ih=getattr(self, "weight_ih" + suffix),
                    weight_hh=getattr(self, "weight_hh" + suffix),
                    bias=getattr(self, "bias" + suffix),
                    weight_hr=getattr(self, "weight_hr" + suffix, None),
                    reverse=self.reverse or suffix.endswith("_reverse"),
                )
            )
        return directions

    def _between_layers(self, outputs: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(outputs, self.dropout, self.training)
