"""What of a model's runs is weighed, and what is left out."""

from itertools import islice

from allennlp_gated.weighted_sum.weigher import Weigher, instances_of
from tests.weighted_sum.tiny_models import TRANSLATIONS, predictor_of, translation_config


def test_of_a_translation_only_the_encoder_is_weighed(tmp_path, caplog) -> None:
    predictor = predictor_of(translation_config("no_srnn"), tmp_path, "seq2seq")
    predictor._model.eval()
    instances = islice(instances_of(predictor, TRANSLATIONS), 2)
    ((first, second),) = Weigher(predictor).weigh_instances(instances, batch_size=2)
    for sentence in (first, second):
        assert [(layer.module, layer.layer) for layer in sentence.layers] == [
            ("_encoder", 0),
            ("_encoder", 0),
            ("_encoder", 1),
            ("_encoder", 1),
        ]
    # One line about the decoder, however many steps it made.
    said = [one.getMessage() for one in caplog.records if "is left out" in one.getMessage()]
    assert len(said) == 1 and "decoder" in said[0] and "one step at a time" in said[0]
