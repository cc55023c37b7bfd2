"""`CarriedStateCallback`: what a language model remembers belongs in its checkpoints."""

from typing import Any, Dict, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback

from allennlp_gated.language_model.stream_language_model import StreamLanguageModel


@TrainerCallback.register("carried_state")
class CarriedStateCallback(TrainerCallback):
    """
    Saves the state that a stateful contextualizer carries from batch to batch with each
    checkpoint, so that a run that was stopped in the middle of an epoch recovers exactly. At the
    end of an epoch nothing is carried, and recovery is exact without it.

    Registered as a `TrainerCallback` with name "carried_state".
    """

    _recovered: Optional[Tuple[torch.Tensor, ...]] = None

    def on_start(
        self, trainer: GradientDescentTrainer, is_primary: bool = True, **kwargs: Any
    ) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        if not isinstance(trainer.model, StreamLanguageModel):
            raise ConfigurationError(
                "trainer.callbacks: carried_state is for a stream_language_model alone"
            )
        self._model = trainer.model
        if self._recovered is not None:
            self._model.carried_state = self._recovered

    def state_dict(self) -> Dict[str, Any]:
        return {"carried_state": self._model.carried_state}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        self._recovered = state_dict["carried_state"]
