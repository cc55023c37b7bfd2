"""Training in two processes on the CPU, which talk through gloo."""

import copy
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.util import find_open_port

import allennlp_gated
from tests.compat.parser import parser_config, scores, write_treebank

assert allennlp_gated  # importing it is what mends, here and in the processes that import this file

WORKERS = 2

# How many words the sentences of each step have, those of one worker and those of the other. The
# parser's loss is a mean over words and the workers' gradients are averaged, so two batches have
# the mean gradient of their union exactly when they have equally many words. Their longest
# sentences differ, so that the workers' tensors differ in shape.
STEPS = [([3, 7], [5, 5]), ([2, 6], [4, 4]), ([1, 8], [4, 5]), ([6, 6], [3, 9])]
DEV_STEPS = [([2, 4], [3, 3]), ([1, 6], [2, 5])]


def dealt(steps: List[Tuple[List[int], List[int]]]) -> List[int]:
    """The order in a file from which each worker, who reads every second sentence, gets its own."""
    return [length for one, other in steps for pair in zip(one, other) for length in pair]


@pytest.fixture
def float64() -> Iterator[None]:
    """The default dtype of this process, for one test."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("encoder", ["stacked_bidirectional_lstm_no_gates"])
def test_two_processes_train_the_parser_as_one_does_on_the_joined_batches(
    encoder: str, stock_plugins: None, tmp_path: Path
) -> None:
    train, dev = tmp_path / "train.conllu", tmp_path / "dev.conllu"
    write_treebank(train, dealt(STEPS), seed=3)
    write_treebank(dev, dealt(DEV_STEPS), seed=4)
    # Plain gradient descent: its step is linear in the gradient, so nothing hides a wrong scale.
    trainer = {"num_epochs": 3, "optimizer": {"type": "sgd", "lr": 0.2}}
    config = parser_config(train, dev, trainer, encoder)

    config["data_loader"] = {"batch_size": 2 * WORKERS}
    train_model(Params(copy.deepcopy(config)), tmp_path / "one")
    config["data_loader"] = {"batch_size": 2}
    config["distributed"] = {"cuda_devices": [-1] * WORKERS}
    packages = ["allennlp_gated", "tests.compat.double_precision"]
    train_model(Params(config), tmp_path / "two", include_package=packages)

    def weights(run: str, epoch: int) -> Dict[str, torch.Tensor]:
        return torch.load(tmp_path / run / f"model_state_e{epoch}_b0.th")

    one, two, earlier = weights("one", 3), weights("two", 3), weights("one", 2)
    assert one.keys() == two.keys()
    # AllenNLP's embeddings stay float32, whose last digits sums in another order still change.
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-5, atol=1e-7)
    assert any((one[name] - earlier[name]).abs().max() > 1e-3 for name in one)  # it does train
    assert scores(tmp_path / "two") == pytest.approx(scores(tmp_path / "one"), rel=1e-6)


def score_answers(rank: int, port: int, results: Any) -> None:
    """
    One worker's part: the first scores three answers and the second two, one of which is wrong.
    """
    from allennlp_models.rc.metrics import SquadEmAndF1

    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", world_size=WORKERS, rank=rank
    )
    metric = SquadEmAndF1()
    for answer in (["a black cat"] * 3, ["a black cat", "a dog"])[rank]:
        metric(answer, ["the black cat"])
    # What the trainer asks for the progress bar, before other reductions and at the epoch's end.
    metric.get_metric()
    torch.distributed.all_reduce(torch.tensor(0))
    first = metric.get_metric(reset=True)
    second = metric.get_metric(reset=True)
    results.put((rank, first, second))
    torch.distributed.destroy_process_group()


def test_answers_scored_by_two_processes_add_up() -> None:
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(score_answers, (find_open_port(), results), nprocs=WORKERS)
    found: Dict[int, Any] = {}
    for _ in range(WORKERS):
        rank, first, second = results.get()
        found[rank] = (first, second)
    assert found == dict.fromkeys(range(WORKERS), ((0.8, 0.8), (0, 0)))
