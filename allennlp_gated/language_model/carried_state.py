"""`CarriedStateCallback`: what a language model remembers belongs in its checkpoints."""

from typing import Any, Dict, Optional, Tuple

import torch
from allennlp.training import GradientDescentTrainer
from allennlp.training.callbacks import TrainerCallback


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
        if self._recovered is not None:
            trainer.model._contextualizer._states = self._recovered

    def state_dict(self) -> Dict[str, Any]:
        assert self.trainer is not None
        return {"states": self.trainer.model._contextualizer._states}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        self._recovered = state_dict["states"]
