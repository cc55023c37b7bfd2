"""
What a layer keeps between its forward and its backward pass, counted exactly.

Counted: every byte of storage that autograd saves (each storage once; for ours also the borrowed
buffer) and that was not there before the call: inputs, weights and states are left out on both
sides, and the outputs are counted on both. PyTorch's nn.LSTM is measured on a dense batch and on
the same batch packed. The third bound is by hand: four activations, c and h per step, what an LSTM
keeps that keeps what it must.
"""

import gc
from typing import Dict, List

import pytest
import torch

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrence import native, run_layer, workspace
from tests.recurrence.common import Case, make_case

needs_kernels = pytest.mark.skipif(native.load()[0] is None, reason=str(native.load()[1]))
STEPS, ROWS, INPUTS, CELLS = 40, 8, 24, 32
# What is rounded up: each of a direction's two parts to 64 bytes, and a buffer by a 16th or a page.
SLACK = 4096


def saved_bytes(forward, known: List[torch.Tensor]) -> int:
    """Bytes of all storages that autograd saves in `forward`, without those in `known`."""
    storages: Dict[int, int] = {}
    alive: List[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        alive.append(tensor)  # so that no later tensor gets the address
        storage = tensor.storage()
        storages[storage.data_ptr()] = len(storage) * storage.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward()
    for tensor in known:
        storages.pop(tensor.storage().data_ptr(), None)
    del result
    return sum(storages.values())


def of_ours(case: Case, monkeypatch) -> int:
    borrowed: List[int] = []
    returned: List[int] = []
    take, give = workspace._Pool.take, workspace._Pool.give

    def counted_take(self: workspace._Pool, size: int) -> torch.Tensor:
        buffer = take(self, size)
        borrowed.append(buffer.numel())
        return buffer

    def counted_give(self: workspace._Pool, buffer: torch.Tensor) -> None:
        returned.append(buffer.numel())
        give(self, buffer)

    monkeypatch.setattr(workspace, "_pool", workspace._Pool())
    monkeypatch.setattr(workspace._Pool, "take", counted_take)
    monkeypatch.setattr(workspace._Pool, "give", counted_give)
    kept: List[int] = []

    def forward():
        result = run_layer(*case)
        gc.collect()
        kept.append(sum(borrowed) - sum(returned))  # the scratch has been given back
        return result

    return saved_bytes(forward, case.tensors()) + kept[0]


def of_nn_lstm(directions: int, packed: bool) -> int:
    module = torch.nn.LSTM(INPUTS, CELLS, bidirectional=directions == 2)
    inputs = torch.randn(STEPS, ROWS, INPUTS, requires_grad=True)
    known = [inputs, *module.parameters()]
    if packed:
        sequence = torch.nn.utils.rnn.pack_padded_sequence(inputs, torch.full((ROWS,), STEPS))
        known.append(sequence.data)
        return saved_bytes(lambda: module(sequence), known)
    return saved_bytes(lambda: module(inputs), known)


@needs_kernels
@pytest.mark.parametrize("reverse", [(False,), (False, True)], ids=["one way", "both ways"])
@pytest.mark.parametrize("key", ABLATIONS)
def test_keeps_no_more_than_nn_lstm(key: str, reverse, monkeypatch) -> None:
    case = make_case(
        ABLATIONS[key], STEPS, ROWS, INPUTS, CELLS, reverse=reverse, dtype=torch.float32
    )
    ours = of_ours(case, monkeypatch)
    per_step = 4 * STEPS * ROWS * CELLS * len(reverse)  # bytes of one value per cell and step
    blocks = len(ABLATIONS[key].layout.input_blocks)
    # The activations of each block, the memory cell, and the outputs: exactly that.
    exactly = (blocks + ABLATIONS[key].has_memory_cell + 1) * per_step
    assert exactly <= ours <= exactly * 17 / 16 + SLACK
    four_activations_cell_and_hidden = 6 * per_step
    assert ours <= four_activations_cell_and_hidden * 17 / 16 + SLACK
    assert ours <= of_nn_lstm(len(reverse), packed=False)
    assert ours <= of_nn_lstm(len(reverse), packed=True)


@needs_kernels
def test_padding_is_not_kept(monkeypatch) -> None:
    lengths = [STEPS] + [1] * (ROWS - 1)
    sizes = {}
    for name, these in (("dense", None), ("ragged", lengths)):
        case = make_case(
            ABLATIONS["full"], STEPS, ROWS, INPUTS, CELLS, lengths=these, dtype=torch.float32
        )
        with monkeypatch.context() as patch:
            sizes[name] = of_ours(case, patch)
    outputs = 4 * STEPS * ROWS * CELLS
    share = sum(lengths) / (STEPS * ROWS)
    assert sizes["ragged"] - outputs <= (sizes["dense"] - outputs) * share * 17 / 16 + SLACK
