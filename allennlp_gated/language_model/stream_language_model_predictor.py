"""`StreamLanguageModelPredictor`: a stream language model on single sentences."""

import torch
from allennlp.common.util import JsonDict
from allennlp.data import Instance
from allennlp.data.fields import FlagField, TensorField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer
from allennlp.predictors.predictor import Predictor


@Predictor.register("stream_language_model")
class StreamLanguageModelPredictor(Predictor):
    """
    Runs a `StreamLanguageModel` on one sentence as if the stream began with it: after the end
    token, without anything carried over. Inputs look like `{"sentence": "words split by spaces"}`;
    the output's `loss` is the negative log-likelihood of the words and of the end token.

    Registered as a `Predictor` with name "stream_language_model".
    """

    def _json_to_instance(self, json_dict: JsonDict) -> Instance:
        source = self._dataset_reader.text_to_instance(json_dict["sentence"])["source"]
        assert isinstance(source, TextField)
        *words, end = source.tokens
        source.tokens[:] = [end, *words]
        vocab = self._model.vocab
        indexer = source.token_indexers["tokens"]
        assert isinstance(indexer, SingleIdTokenIndexer)
        namespace = indexer.namespace
        assert namespace is not None
        targets = [vocab.get_token_index(str(token), namespace) for token in [*words, end]]
        fields = {
            "source": source,
            "targets": TensorField(torch.tensor(targets)),
            "mask": TensorField(torch.ones(len(targets), dtype=torch.bool), padding_value=False),
            "starts_stream": FlagField(True),
        }
        return Instance(fields)  # type: ignore[arg-type]
