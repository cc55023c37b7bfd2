"""
A run that is killed and resumed with `--recover` does not end where one that was left alone ends:

* The trainer skips the epochs that are done by drawing their training batches, so that the data
  loader's random numbers advance as they did. It forgets the validation batches, which a bucket
  sampler or a shuffle draws at random too, so that all later batches differ.
* The state of PyTorch's random numbers, from which dropout is drawn, is not kept.
* The first checkpoint is written before the trainer notes that there is a best epoch, so a run
  whose first epoch stays its best ends with the weights of its last.

All of this is mended for a run in one process; of several workers, and of random numbers drawn on
a GPU, the states are not kept.
"""

import os
from typing import Any, Dict, Optional

import torch
from allennlp.training.checkpointer import Checkpointer
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from allennlp.training.trainer import TrainerCheckpoint

RANDOM_STATE = "torch_random_state"

_stock_train_epoch = GradientDescentTrainer._train_epoch
_stock_get_checkpoint_state = GradientDescentTrainer.get_checkpoint_state
_stock_restore = GradientDescentTrainer._maybe_restore_checkpoint
_stock_load_checkpoint = Checkpointer.load_checkpoint


def train_epoch(self: GradientDescentTrainer, epoch: int) -> Dict[str, float]:
    """As the stock method, but an epoch that is skipped draws its validation batches too."""
    metrics = _stock_train_epoch(self, epoch)
    skipped = self._epochs_completed < self._start_after_epochs_completed
    if skipped and self._validation_data_loader is not None:
        for _ in self._validation_data_loader:
            pass
    return metrics


def get_checkpoint_state(self: GradientDescentTrainer) -> Optional[TrainerCheckpoint]:
    """As the stock method, with the state of PyTorch's random numbers."""
    checkpoint = _stock_get_checkpoint_state(self)
    if checkpoint is not None and not self._distributed:
        checkpoint.trainer_state[RANDOM_STATE] = torch.get_rng_state()
    return checkpoint


def load_checkpoint(self: Checkpointer) -> Optional[TrainerCheckpoint]:
    """As the stock method, and PyTorch's random numbers go on from where they were."""
    checkpoint = _stock_load_checkpoint(self)
    if checkpoint is not None:
        state: Any = checkpoint.trainer_state.get(RANDOM_STATE)
        if state is not None:
            torch.set_rng_state(state)
    return checkpoint


def restore(self: GradientDescentTrainer) -> None:
    """As the stock method, and a best epoch that has left its weights is known to have done so."""
    _stock_restore(self)
    trainer: Any = self
    if trainer._best_model_filename is None and trainer._metric_tracker.best_epoch is not None:
        best = os.path.join(trainer._serialization_dir, "best.th")
        if os.path.exists(best):
            trainer._best_model_filename = best


def mend() -> None:
    """Put these in the place of the stock methods."""
    GradientDescentTrainer._train_epoch = train_epoch  # type: ignore[method-assign]
    GradientDescentTrainer.get_checkpoint_state = (  # type: ignore[method-assign]
        get_checkpoint_state
    )
    GradientDescentTrainer._maybe_restore_checkpoint = restore  # type: ignore[method-assign]
    Checkpointer.load_checkpoint = load_checkpoint  # type: ignore[method-assign]
