"""An AllenNLP plugin."""
