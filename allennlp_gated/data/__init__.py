"""Importing this registers what splits, tags and parses text without downloading anything."""

from allennlp_gated.data import biaffine_parser_predictor, spacy_blank_tokenizer

__all__ = ["biaffine_parser_predictor", "spacy_blank_tokenizer"]
