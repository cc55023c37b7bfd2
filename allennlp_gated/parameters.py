"""Parameters that know their blocks, so that they can be initialised block by block."""

from typing import Iterator, Optional, Tuple

import torch

from allennlp_gated.ablation import Blocks


def block_parameter(blocks: Blocks, block_size: int, *columns: int) -> Optional[torch.nn.Parameter]:
    """
    # Parameters

    blocks : `Tuple[str, ...]`
        The names of the blocks that are stacked, in order.
    block_size : `int`
        Rows of one block.
    columns : `int`
        The sizes of the further dimensions: one for a matrix, none for a bias.

    # Returns

    `Optional[torch.nn.Parameter]`
        An uninitialised parameter of `len(blocks) * block_size` rows, labelled with its blocks; or
        `None` if there are no blocks, so that nothing is stored that is not used.
    """
    if not blocks:
        return None
    parameter = torch.nn.Parameter(torch.empty(len(blocks) * block_size, *columns))
    parameter.blocks = blocks  # type: ignore[attr-defined]
    return parameter


def blocks_of(parameter: torch.Tensor) -> Optional[Blocks]:
    """The names of the blocks that a parameter stacks, or `None` if it does not know."""
    return getattr(parameter, "blocks", None)


def named_blocks(parameter: torch.Tensor, blocks: Blocks) -> Iterator[Tuple[str, torch.Tensor]]:
    """Each block's name with a view of its rows that can be written to."""
    return zip(blocks, parameter.data.chunk(len(blocks)))
