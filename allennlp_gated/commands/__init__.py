"""`allennlp` subcommands; importing them registers them."""

from allennlp_gated.commands import weigh

__all__ = ["weigh"]
