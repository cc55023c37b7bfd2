"""A trainer callback that kills its own process, as a queue of jobs or a lack of memory would."""

import os
import signal
from typing import Any, Dict, List

from allennlp.training.callbacks import TrainerCallback
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer

KILL_AT = "ALLENNLP_GATED_TEST_KILL_AT"


@TrainerCallback.register("kill_switch")
class KillSwitch(TrainerCallback):
    """
    Sends SIGKILL to the process after the batch that the environment variable names, as
    `<epoch> <batch>`, both counted from zero and one as the trainer does. Without it, it does
    nothing, so that a config may name it in the run that is killed and in the one that is not.
    """

    def on_batch(
        self,
        trainer: GradientDescentTrainer,
        batch_inputs: List[Any],
        batch_outputs: List[Dict[str, Any]],
        batch_metrics: Dict[str, Any],
        epoch: int,
        batch_number: int,
        is_training: bool,
        is_primary: bool = True,
        batch_grad_norm: Any = None,
        **kwargs: Any,
    ) -> None:
        if is_training and os.environ.get(KILL_AT) == f"{epoch} {batch_number}":
            os.kill(os.getpid(), signal.SIGKILL)
