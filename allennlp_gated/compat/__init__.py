"""
What AllenNLP 2.10.1, which is archived, still needs: one hole per file, each with its reason.

| file | what failed without it | where |
| --- | --- | --- |
| `attachment_scores.py` | the parser in distributed training, by an abort | both stacks |
| `reduce_on_plateau.py` | any run with that scheduler, at its start | PyTorch without `verbose` |
| `resumption.py` | a resumed run ended with other numbers than a whole one | both stacks |
| `squad_scores.py` | BiDAF in distributed training, by an abort | both stacks |
| `tag_scores.py` | half of the parser's time went into the scores of labels | both stacks |
| `trainer_state.py` | `--recover` of a run with the `cosine` scheduler | PyTorch 2.6 and later |

Importing this package mends what the installed versions need, once, and changes nothing else.
"""

from allennlp_gated.compat import (
    attachment_scores,
    reduce_on_plateau,
    resumption,
    squad_scores,
    tag_scores,
    trainer_state,
)

__all__ = [
    "attachment_scores",
    "reduce_on_plateau",
    "resumption",
    "squad_scores",
    "tag_scores",
    "trainer_state",
]

attachment_scores.mend()
reduce_on_plateau.mend()
resumption.mend()
squad_scores.mend()
tag_scores.mend()
trainer_state.mend()
