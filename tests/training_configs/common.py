"""Builds a shipped config, its data cut but not its sizes, and takes one training step with it."""

import json
from pathlib import Path
from typing import Any, Dict, Sequence

import torch
from allennlp.commands.train import TrainModel
from allennlp.common import Params

from allennlp_gated.ablation import ABLATIONS

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training_configs"
ENCODERS = [*ABLATIONS, "stock"]


def shipped(task: str) -> Dict[str, Path]:
    """A task's configs by the encoder that each is for."""
    return {path.stem[len(task) + 1 :]: path for path in CONFIGS.glob(f"{task}_*.jsonnet")}


def take_a_step(
    config: Path, folder: Path, overrides: Dict[str, Any], unmoved: Sequence[str] = ()
) -> TrainModel:
    """
    Everything that `allennlp train` builds, after one training step and one validation batch. The
    data is the config's own, so the working directory must be `ROOT`.

    # Parameters

    config : `Path`
        The config's file.
    folder : `Path`
        Where to serialize to.
    overrides : `Dict[str, Any]`
        What to override, as for `allennlp train`.
    unmoved : `Sequence[str]`
        Ends of the names of parameters whose gradient is zero by nature.
    """
    params = Params.from_file(config, json.dumps({"trainer.cuda_device": -1, **overrides}))
    run = TrainModel.from_params(params, serialization_dir=str(folder), local_rank=0)
    trainer: Any = run.trainer
    before = {name: value.detach().clone() for name, value in run.model.named_parameters()}
    run.model.train()
    loss = trainer.batch_outputs(next(iter(trainer.data_loader)), for_training=True)["loss"]
    assert torch.isfinite(loss)
    loss.backward()
    trainer.rescale_gradients()
    trainer.optimizer.step()
    for name, parameter in run.model.named_parameters():
        assert parameter.grad is not None, name
        assert name.endswith(tuple(unmoved)) or not torch.equal(parameter, before[name]), name

    run.model.eval()
    run.model.get_metrics(reset=True)
    with torch.no_grad():
        trainer.batch_outputs(next(iter(trainer._validation_data_loader)), for_training=False)
    return run
