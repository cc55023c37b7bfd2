"""`TokenStreamReader`: a text of one sentence a line, each closed by `<eos>`."""

from typing import Any, Iterable

from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.data import DatasetReader, Instance, Token
from allennlp.data.dataset_readers.dataset_reader import PathOrStr
from allennlp.data.fields import TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer


@DatasetReader.register("token_stream")
class TokenStreamReader(DatasetReader):
    """
    Reads a text that is already split into words by spaces. Each line, an empty one too, becomes
    an instance whose field `source` holds the line's words and then `end_token`: one after the
    other, the instances are the stream that `TokenStreamDataLoader` cuts into batches.

    Registered as a `DatasetReader` with name "token_stream".

    # Parameters

    end_token : `str`, optional (default = `"<eos>"`)
        What stands for the end of a line.
    namespace : `str`, optional (default = `"tokens"`)
        The vocabulary namespace of the words.
    """

    def __init__(self, end_token: str = "<eos>", namespace: str = "tokens", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._end_token = Token(end_token)
        self._token_indexers = {"tokens": SingleIdTokenIndexer(namespace=namespace)}

    def _read(self, file_path: PathOrStr) -> Iterable[Instance]:
        empty = True
        with open(cached_path(file_path), encoding="utf-8") as lines:
            for line in lines:
                empty = empty and not line.strip()
                yield self.text_to_instance(line)
        if empty:
            raise ConfigurationError(f"data path {file_path}: there are no words in this file")

    def text_to_instance(self, line: str) -> Instance:
        """
        # Parameters

        line : `str`
            Words split by spaces.

        # Returns

        `Instance`
            With the `TextField` `source`.
        """
        tokens = [Token(word) for word in line.split()]
        tokens.append(self._end_token)
        return Instance({"source": TextField(tokens, self._token_indexers)})  # type: ignore[arg-type]
