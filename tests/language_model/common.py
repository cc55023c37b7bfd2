"""What the tests of language modelling share: a text in a file, and its loader."""

from pathlib import Path
from typing import Any, List, Optional, Tuple

from allennlp.data import Vocabulary

from allennlp_gated.language_model import TokenStreamDataLoader, TokenStreamReader

CONFIGS = Path(__file__).parents[2] / "training_configs"


def write_text(directory: Path, lines: List[str], name: str = "text.txt") -> str:
    path = directory / name
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def open_vocabulary(loader: TokenStreamDataLoader) -> Vocabulary:
    """The vocabulary that the ptb_lm configs make: the text's words and no others."""
    return Vocabulary.from_instances(
        loader.iter_instances(), oov_token="<unk>", non_padded_namespaces=["tokens"]
    )


def new_loader(
    path: str, vocab: Optional[Vocabulary] = None, **kwargs: Any
) -> Tuple[TokenStreamDataLoader, Vocabulary]:
    loader = TokenStreamDataLoader(TokenStreamReader(), path, **kwargs)
    vocab = vocab or open_vocabulary(loader)
    loader.index_with(vocab)
    return loader, vocab


def words(text: List[str]) -> List[str]:
    """The stream that a text of these lines is."""
    return [word for line in text for word in [*line.split(), "<eos>"]]
