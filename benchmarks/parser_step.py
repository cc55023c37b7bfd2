"""
What a training step of the whole parser consists of, with the stock encoder and with ours, and how
near the encoder comes to the rate at which this machine multiplies matrices.

    python -m benchmarks.parser_step --train ../shared/data/ud/en_ewt-ud-train.conllu
"""

import argparse
import functools
import json
import tempfile
from typing import Any, Callable, Dict, List

import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params
from allennlp.modules.seq2seq_encoders import Seq2SeqEncoder

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.compat.tag_scores import TagBilinear
from benchmarks.measure import interleave, save, with_allocator

ENCODER = "stacked_bidirectional_lstm"
WHOLE, ALONE, SCORES = "whole step", "encoder", "tag scores"


class Parser:
    """
    The model, optimizer and batches of one config.

    # Parameters

    name : `str`
        Of the config: `stock` or an ablation's key.
    overrides : `Dict[str, Any]`
        Of the config.
    """

    def __init__(self, name: str, overrides: Dict[str, Any]) -> None:
        params = Params.from_file(
            f"training_configs/ud_parser_{name}.jsonnet", json.dumps(overrides)
        )
        with tempfile.TemporaryDirectory() as folder:
            job: Any = TrainModel.from_params(params=params, serialization_dir=folder, local_rank=0)
        self.trainer = job.trainer
        self.model = self.trainer.model.train()
        self.batches = list(self.trainer.data_loader)

    def step(self, batch: Dict[str, Any]) -> None:
        """What the trainer does with a batch."""
        self.trainer.optimizer.zero_grad()
        self.model(**batch)["loss"].backward()
        self.trainer.rescale_gradients()
        self.trainer.optimizer.step()

    def encode(self, batch: Dict[str, Any]) -> Callable[[], None]:
        """The encoder's share of it: forward, and backward to the inputs and the weights."""
        encoder: Seq2SeqEncoder = self.model.encoder
        mask = batch["pos_tags"].gt(0)
        inputs = torch.randn(*mask.shape, encoder.get_input_dim(), requires_grad=True)
        gradient = torch.randn(*mask.shape, encoder.get_output_dim())

        def run() -> None:
            encoder(inputs, mask).backward(gradient)

        return run

    def score_tags(self, batch: Dict[str, Any]) -> Callable[[], None]:
        """The share of the scores of the labels."""
        bilinear: torch.nn.Bilinear = self.model.tag_bilinear
        size = (*batch["pos_tags"].shape, bilinear.in1_features)
        heads, children = (torch.randn(size, requires_grad=True) for _ in range(2))
        gradient = torch.randn(*size[:2], bilinear.out_features)

        def run() -> None:
            bilinear(heads, children).backward(gradient)

        return run

    def operations(self, batch: Dict[str, Any]) -> float:
        """Floating-point operations of the encoder's products, forward and backward."""
        words = batch["pos_tags"].gt(0).sum().item()
        weights = sum(one.numel() for one in self.model.encoder.parameters() if one.dim() == 2)
        # A multiplication and an addition for the output, for the gradient of x, for that of W.
        return 3 * 2.0 * weights * words


def best_rate(rows: int) -> float:
    """Floating-point operations per second of PyTorch's own product at the encoder's sizes."""
    x, weight = torch.randn(rows, 800), torch.randn(3200, 800)
    timings = interleave({"mm": lambda: torch.mm(x, weight.t())}, 31, "mm", 10)
    return 2.0 * x.numel() * weight.size(0) / timings["mm"].median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", help="CoNLL-U; default: that of the config")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--encoders", nargs="+", default=["stock", *ABLATIONS])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--allocator", choices=["default", "tuned"], default="default")
    arguments = parser.parse_args()
    with_allocator(arguments.allocator)
    torch.set_num_threads(arguments.threads)
    overrides: Dict[str, Any] = {"data_loader.batch_sampler.batch_size": arguments.batch_size}
    if arguments.train:
        overrides["train_data_path"] = arguments.train
    parsers = {name: Parser(name, overrides) for name in arguments.encoders}
    # The batch with the median number of words, the same for all.
    batches = next(iter(parsers.values())).batches
    batches.sort(key=lambda batch: batch["pos_tags"].gt(0).sum().item())
    batch = batches[len(batches) // 2]

    contestants: Dict[str, Callable[[], Any]] = {}
    for name, one in parsers.items():
        contestants[f"{name}, {WHOLE}"] = functools.partial(one.step, batch)
        contestants[f"{name}, {ALONE}"] = one.encode(batch)
    # Whether the labels' scores are mended or torch's own does not depend on the encoder.
    any_parser = next(iter(parsers.values()))
    contestants[SCORES] = any_parser.score_tags(batch)
    bilinear = any_parser.model.tag_bilinear
    unmended = torch.nn.Bilinear(
        bilinear.in1_features, bilinear.in2_features, bilinear.out_features
    )
    assert isinstance(bilinear, TagBilinear)
    first = f"{arguments.encoders[0]}, {WHOLE}"
    any_parser.model.tag_bilinear = unmended
    contestants[f"{SCORES}, unmended"] = any_parser.score_tags(batch)
    any_parser.model.tag_bilinear = bilinear
    timings = interleave(contestants, arguments.rounds, first, 600)

    rate = best_rate(batch["pos_tags"].numel())
    rows: List[Dict[str, Any]] = []
    for name, timing in timings.items():
        encoder = parsers[name.split(",")[0]] if name.endswith(f", {ALONE}") else None
        reached = encoder.operations(batch) / timing.median if encoder else float("nan")
        rows.append(
            {
                "part": name,
                "ms": timing.median * 1e3,
                "quartiles": f"{timing.low * 1e3:.0f}-{timing.high * 1e3:.0f}",
                f"of {first}": timing.ratio,
                "GFLOP/s": reached / 1e9,
                "of torch.mm's": reached / rate,
                "page faults": timing.faults,
            }
        )
        print(rows[-1], flush=True)
    print(f"torch.mm: {rate / 1e9:.0f} GFLOP/s")
    save(f"parser_step_{arguments.threads}t_{arguments.allocator}", rows)


if __name__ == "__main__":
    main()
