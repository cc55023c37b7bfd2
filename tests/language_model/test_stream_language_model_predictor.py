import pytest
import torch
from allennlp.common.params import Params
from allennlp.data import DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.predictors import Predictor

import allennlp_gated  # noqa: F401
from allennlp_gated.weighted_sum import WeightRecorder

SENTENCES = ["the cat sat", "a dog ran to the cat", "the zebra sat"]


@pytest.fixture(scope="module")
def predictor():
    reader = DatasetReader.from_params(Params({"type": "token_stream"}))
    vocab = Vocabulary.from_instances([reader.text_to_instance(one) for one in SENTENCES[:2]])
    torch.manual_seed(3)
    model = Model.from_params(
        Params(
            {
                "type": "stream_language_model",
                "text_field_embedder": {
                    "token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 5}}
                },
                "contextualizer": {
                    "type": "lstm_full",
                    "input_size": 5,
                    "hidden_size": 6,
                    "stateful": True,
                },
            }
        ),
        vocab=vocab,
    )
    model.eval()
    return Predictor.by_name(model.default_predictor)(model, reader)


def loss_by_hand(model, sentence):
    """Word by word: each is predicted from those before it, the first from the end token."""
    words = [*sentence.split(), "<eos>"]
    ids = [model.vocab.get_token_index(word) for word in ["<eos>", *words]]
    total = 0.0
    for place in range(1, len(ids)):
        model._contextualizer.reset_states()
        before = torch.tensor([ids[:place]])
        hidden = model._contextualizer(
            model._text_field_embedder({"tokens": {"tokens": before}}), before > -1
        )
        total -= model._softmax(hidden[0, -1]).log_softmax(-1)[ids[place]].item()
    return total


@pytest.mark.parametrize("sentence", SENTENCES)
def test_loss_is_that_of_the_sentence_alone(predictor, sentence):
    with torch.no_grad():
        expected = loss_by_hand(predictor._model, sentence)
    assert predictor.predict_json({"sentence": sentence})["loss"] == pytest.approx(expected)
    # Nothing is carried over from one sentence to the next.
    assert predictor.predict_json({"sentence": sentence})["loss"] == pytest.approx(expected)


def test_the_encoder_reads_the_end_token_and_the_words(predictor):
    with WeightRecorder(predictor._model) as recorder:
        predictor.predict_batch_json([{"sentence": one} for one in SENTENCES])
    (layer,) = recorder.layers
    assert layer.parts.lengths.tolist() == [4, 7, 4]
    assert (layer.parts.memory_cell_0 == 0).all()
