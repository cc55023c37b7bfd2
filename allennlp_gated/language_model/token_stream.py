"""`TokenStreamDataLoader`: cuts one stream of words into batches whose rows go on and on."""

from typing import Any, Dict, Iterator, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed
from allennlp.data import DataLoader, DatasetReader, Instance, Vocabulary
from allennlp.data.dataset_readers.dataset_reader import DatasetReaderInput
from allennlp.nn.util import move_to_device
from torch.nn.utils.rnn import pad_sequence

from allennlp_gated.checks import check_size


@DataLoader.register("token_stream")
class TokenStreamDataLoader(DataLoader):
    """
    Joins all instances of a reader into one stream of N words, cuts it into `batch_size`
    contiguous pieces whose lengths differ by one at most, and walks along all of them at once,
    `steps` words a batch: row r of a batch goes on where row r of the batch before it stopped.

    Each of the N words is predicted exactly once, from the word before it; the first one from the
    last one, which is an end-of-line token, so that it is predicted as the first word of a line.
    The last batch holds what is left of the rows, and masks the end of those that are shorter.

    The words are read and indexed once, not once an epoch. A batch has

    * `source`, of shape (rows, steps), in the nesting that a `TextFieldEmbedder` takes,
    * `targets`, the words that follow, of shape (rows, steps),
    * `mask`, of shape (rows, steps), and
    * `starts_stream`, a `bool`: whether it is an epoch's first batch, where no state is carried.

    Registered as a `DataLoader` with name "token_stream".

    # Parameters

    reader : `DatasetReader`
        Its instances have a `TextField` `source` with a single-id indexer, both named `tokens`.
        This argument and the next do not get an entry in a configuration file.
    data_path : `DatasetReaderInput`
        What the reader reads.
    batch_size : `int`
        How many rows a batch has.
    steps : `int`
        How many words of each row: the reach of back-propagation.
    single_row : `bool`, optional (default = `False`)
        If `True`, the stream stays in one piece and a batch is `batch_size * steps` consecutive
        words of it, so that no prediction depends on either number. For evaluation.
    unknown_token : `str`, optional (default = `"<unk>"`)
        What stands for words that are not in the vocabulary, which has to contain it.
    namespace : `str`, optional (default = `"tokens"`)
        The vocabulary namespace of the words.

    # Raises

    `ConfigurationError`
        If a size is not positive, if the stream is shorter than one batch, or if the vocabulary
        has no `unknown_token`.
    """

    def __init__(
        self,
        reader: DatasetReader,
        data_path: DatasetReaderInput,
        batch_size: int,
        steps: int,
        single_row: bool = False,
        unknown_token: str = "<unk>",
        namespace: str = "tokens",
    ) -> None:
        for name, size in (("batch_size", batch_size), ("steps", steps)):
            check_size(name, size)
        if is_distributed():
            raise ConfigurationError(
                "data_loader: token_stream cannot share one stream among distributed workers"
            )
        self.reader = reader
        self.data_path = data_path
        self.rows = 1 if single_row else batch_size
        self.steps = batch_size * steps if single_row else steps
        self.unknown_token = unknown_token
        self.namespace = namespace
        self._device: Optional[torch.device] = None

        self._instances = list(reader.read(data_path))
        self.num_tokens = sum(len(one["source"].tokens) for one in self._instances)  # type: ignore
        if self.num_tokens < batch_size * steps:
            raise ConfigurationError(
                f"data path {data_path}: the stream has {self.num_tokens} tokens, fewer than "
                f"batch_size * steps = {batch_size} * {steps} = {batch_size * steps}; make one of "
                "them smaller or bring more text"
            )
        # The longest row is the first one.
        self._longest = -(-self.num_tokens // self.rows)
        self._inputs: Optional[torch.Tensor] = None

    def __len__(self) -> int:
        return -(-self._longest // self.steps)

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        if self._inputs is None:
            raise ConfigurationError("data_loader: token_stream needs index_with before iteration")
        for start in range(0, self._longest, self.steps):
            window = slice(start, start + self.steps)
            batch: Dict[str, Any] = {
                "source": {"tokens": {"tokens": self._inputs[:, window]}},
                "targets": self._targets[:, window],
                "mask": self._mask[:, window],
            }
            if self._device is not None:
                batch = move_to_device(batch, self._device)
            batch["starts_stream"] = start == 0
            yield batch

    def iter_instances(self) -> Iterator[Instance]:
        return iter(self._instances)

    def index_with(self, vocab: Vocabulary) -> None:
        if self.unknown_token not in vocab.get_token_to_index_vocabulary(self.namespace):
            raise ConfigurationError(
                f"vocabulary: namespace {self.namespace!r} has no {self.unknown_token!r} to stand "
                "for unknown words; put it into the training text or name another one as "
                "data_loader.unknown_token"
            )
        unknown = vocab.get_token_index(self.unknown_token, self.namespace)
        if vocab.get_token_index(_NO_WORD, self.namespace) != unknown:
            raise ConfigurationError(
                f"vocabulary.oov_token: must be {self.unknown_token!r}, which stands for unknown "
                "words in the text"
            )
        pieces = []
        for instance in self._instances:
            field = instance["source"]
            field.index(vocab)
            pieces.append(field.as_tensor(field.get_padding_lengths())["tokens"]["tokens"])
        # shape: (N,)
        stream = torch.cat(pieces)
        self._inputs = self._cut(stream.roll(1))
        self._targets = self._cut(stream)
        self._mask = self._cut(torch.ones_like(stream, dtype=torch.bool))

    def set_target_device(self, device: torch.device) -> None:
        self._device = device

    def _cut(self, stream: torch.Tensor) -> torch.Tensor:
        """Shape (N,) to (rows, steps of the longest row)."""
        return pad_sequence(list(torch.tensor_split(stream, self.rows)), batch_first=True)


# No line can hold a word with a space in it.
_NO_WORD = "no such word"
