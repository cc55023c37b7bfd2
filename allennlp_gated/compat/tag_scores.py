"""
The stock parser scores an arc's labels with `torch.nn.Bilinear`, which loops over the labels and
writes a matrix per word and label for its gradient: on a CPU half of an epoch, whatever encoder the
parser has. In validation it is called on all pairs of words, with each word copied once per pair.
It is mended by computing the same sums as matrix products.
"""

import functools
from typing import Any

import torch
from torch.nn import functional


class TagBilinear(torch.nn.Bilinear):
    """
    `torch.nn.Bilinear`, of the same parameters, for few outputs and many rows.
    """

    def forward(self, input1: torch.Tensor, input2: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        input1 : `torch.Tensor`
            Shape (..., in1_features).
        input2 : `torch.Tensor`
            Shape (..., in2_features).

        # Returns

        `torch.Tensor`
            Shape (..., out_features), what `torch.nn.Bilinear` returns but for the rounding.
        """
        # The parser's pairs of words: that the words are copies is checked and not assumed. Copies
        # that need a gradient each get their own.
        needs_gradient = input1.requires_grad or input2.requires_grad
        if input1.dim() == 4 and input1.numel() > 0 and not needs_gradient:
            heads, children = input1[:, :, 0], input2[:, 0]
            if torch.equal(input1, heads.unsqueeze(2).expand_as(input1)) and torch.equal(
                input2, children.unsqueeze(1).expand_as(input2)
            ):
                return self.all_pairs(heads, children)
        return self._biased(torch.matmul(self._through(input1), input2.unsqueeze(-1)).squeeze(-1))

    def all_pairs(self, heads: torch.Tensor, children: torch.Tensor) -> torch.Tensor:
        """
        # Parameters

        heads : `torch.Tensor`
            Shape (batch_size, heads, in1_features).
        children : `torch.Tensor`
            Shape (batch_size, children, in2_features).

        # Returns

        `torch.Tensor`
            Shape (batch_size, heads, children, out_features): each head with each child.
        """
        # Shape (batch_size, heads, out_features, children)
        scores = torch.matmul(self._through(heads), children.transpose(1, 2).unsqueeze(1))
        return self._biased(scores.transpose(2, 3))

    def _through(self, heads: torch.Tensor) -> torch.Tensor:
        """`heads`, of shape (..., in1), times the weight: shape (..., out_features, in2)."""
        rows = self.weight.transpose(1, 2).reshape(-1, self.in1_features)
        return functional.linear(heads, rows).unflatten(-1, (self.out_features, self.in2_features))

    def _biased(self, scores: torch.Tensor) -> torch.Tensor:
        return scores if self.bias is None else scores + self.bias


def mend() -> None:
    """Give each parser that is built the faster product, with the parameters that it has."""
    try:
        from allennlp_models.structured_prediction.models import biaffine_dependency_parser
    except ImportError:  # allennlp-models is broken or absent, and with it this parser
        return
    parser = biaffine_dependency_parser.BiaffineDependencyParser
    stock_init = parser.__init__

    @functools.wraps(stock_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        if type(self.tag_bilinear) is torch.nn.Bilinear:  # a parser's own, if derived, stays
            self.tag_bilinear.__class__ = TagBilinear

    parser.__init__ = init
