"""
What a training step of the whole parser consists of, with the stock encoder and with ours, and how
near the encoder comes to the rate at which this machine multiplies matrices.

    python -m benchmarks.parser_step --train ../shared/data/ud/en_ewt-ud-train.conllu
"""

import argparse
import functools
from typing import Any, Callable, Dict, List

import torch
from allennlp.modules.seq2seq_encoders import Seq2SeqEncoder

from allennlp_gated.ablation import ABLATIONS
from benchmarks.measure import interleave, parse_settings, save
from benchmarks.training import Training


class Parser(Training):
    """
    The parser with one encoder.

    # Parameters

    name : `str`
        Of the config: `stock` or an ablation's key.
    overrides : `Dict[str, Any]`
        Of the config.
    """

    def __init__(self, name: str, overrides: Dict[str, Any]) -> None:
        super().__init__(f"training_configs/ud_parser_{name}.jsonnet", overrides)
        self.batches = list(self.trainer.data_loader)

    def encode(self, batch: Dict[str, Any]) -> Callable[[], None]:
        """The encoder's share of it: forward, and backward to the inputs and the weights."""
        encoder: Seq2SeqEncoder = self.model.encoder
        mask = batch["pos_tags"].gt(0)
        inputs = torch.randn(*mask.shape, encoder.get_input_dim(), requires_grad=True)
        gradient = torch.randn(*mask.shape, encoder.get_output_dim())

        def run() -> None:
            encoder(inputs, mask).backward(gradient)

        return run

    def operations(self, batch: Dict[str, Any]) -> float:
        """Floating-point operations of the encoder's products, forward and backward."""
        words = batch["pos_tags"].gt(0).sum().item()
        weights = sum(one.numel() for one in self.model.encoder.parameters() if one.dim() == 2)
        # A multiplication and an addition for the output, for the gradient of x, for that of W.
        return 3 * 2.0 * weights * words


def score_tags(bilinear: torch.nn.Bilinear, batch: Dict[str, Any]) -> Callable[[], None]:
    """The share of the scores of the labels, whichever the encoder."""
    words = batch["pos_tags"].shape
    heads = torch.randn(*words, bilinear.in1_features, requires_grad=True)
    children = torch.randn(*words, bilinear.in2_features, requires_grad=True)
    gradient = torch.randn(*words, bilinear.out_features)

    def run() -> None:
        bilinear(heads, children).backward(gradient)

    return run


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
    arguments = parse_settings(parser)
    overrides: Dict[str, Any] = {"data_loader.batch_sampler.batch_size": arguments.batch_size}
    if arguments.train:
        overrides["train_data_path"] = arguments.train
    parsers = {name: Parser(name, overrides) for name in arguments.encoders}
    any_parser = parsers[arguments.encoders[0]]
    # The batch with the median number of words, the same for all.
    batches = sorted(any_parser.batches, key=lambda one: one["pos_tags"].gt(0).sum().item())
    batch = batches[len(batches) // 2]

    contestants: Dict[str, Callable[[], Any]] = {}
    operations: Dict[str, float] = {}
    for name, one in parsers.items():
        contestants[f"{name}, whole step"] = functools.partial(one.step, batch)
        contestants[f"{name}, encoder"] = one.encode(batch)
        operations[f"{name}, encoder"] = one.operations(batch)
    bilinear = any_parser.model.tag_bilinear
    sizes = bilinear.in1_features, bilinear.in2_features, bilinear.out_features
    contestants["tag scores"] = score_tags(bilinear, batch)
    contestants["tag scores, unmended"] = score_tags(torch.nn.Bilinear(*sizes), batch)
    first = next(iter(contestants))
    timings = interleave(contestants, arguments.rounds, first, 600)

    rate = best_rate(batch["pos_tags"].numel())
    rows: List[Dict[str, Any]] = []
    for name, timing in timings.items():
        reached = operations.get(name, float("nan")) / timing.median
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
