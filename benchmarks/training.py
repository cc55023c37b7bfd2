"""What `allennlp train` builds from a config, for benchmarks that look at single steps."""

import json
import tempfile
from typing import Any, Dict

from allennlp.commands.train import TrainModel
from allennlp.common import Params


class Training:
    """
    The model, optimizer and data of one config.

    # Parameters

    config : `str`
        The file.
    overrides : `Dict[str, Any]`
        Of the config.
    """

    def __init__(self, config: str, overrides: Dict[str, Any]) -> None:
        params = Params.from_file(config, json.dumps(overrides))
        with tempfile.TemporaryDirectory() as folder:
            job: Any = TrainModel.from_params(params=params, serialization_dir=folder, local_rank=0)
        self.trainer = job.trainer
        self.model = self.trainer.model.train()

    def step(self, batch: Dict[str, Any]) -> None:
        """What the trainer does with a batch."""
        self.trainer.optimizer.zero_grad()
        self.model(**batch)["loss"].backward()
        self.trainer.rescale_gradients()
        self.trainer.optimizer.step()
