"""Every stock model that takes a recurrent encoder takes ours: trained, saved, loaded."""

import copy
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from allennlp.common import Params
from allennlp.common.util import import_module_and_submodules
from allennlp.data import Batch, DatasetReader, Vocabulary
from allennlp.models import Model
from allennlp.models.archival import archive_model, load_archive

import allennlp_gated  # noqa: F401
from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.recurrent_module import RecurrentModule

from .families import FAMILIES


@pytest.fixture(scope="module", autouse=True)
def _stock_models_are_registered() -> None:
    import_module_and_submodules("allennlp_models")


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Equality to the last bit, down to the leaves of what a model predicts."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name in expected:
            assert_same(found[name], expected[name], f"{where}.{name}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected)):
            assert_same(one, other, f"{where}[{index}]")
    elif isinstance(expected, numpy.ndarray):
        numpy.testing.assert_array_equal(found, expected, err_msg=where)
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    else:
        assert found == expected, where


@pytest.mark.parametrize("key", ABLATIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_trains_and_predicts_the_same_when_loaded(name: str, key: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    family = FAMILIES[name]
    config = Params(copy.deepcopy({"dataset_reader": family.reader, "model": family.model(key)}))
    config.to_file(str(tmp_path / "config.json"))

    reader = DatasetReader.from_params(config.pop("dataset_reader"))
    instances = [reader.text_to_instance(*arguments) for arguments in family.sentences]
    for instance in instances:
        reader.apply_token_indexers(instance)
    vocabulary = Vocabulary.from_instances(instances)
    vocabulary.save_to_files(str(tmp_path / "vocabulary"))
    model = Model.from_params(config.pop("model"), vocab=vocabulary)

    ablated = [one for one in model.modules() if isinstance(one, RecurrentModule)]
    assert [one.ablation.key for one in ablated] == [key] * family.num_recurrent_modules
    assert not any(isinstance(one, torch.nn.RNNBase) for one in model.modules())

    batch = Batch(instances)
    batch.index_instances(vocabulary)
    before = {id(p): p.detach().clone() for one in ablated for p in one.parameters()}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(**batch.as_tensor_dict())["loss"]
        assert torch.isfinite(loss)
        loss.backward()
        optimizer.step()
    for one in ablated:
        for parameter_name, parameter in one.named_parameters():
            assert not torch.equal(parameter, before[id(parameter)]), parameter_name

    torch.save(model.state_dict(), tmp_path / "weights.th")
    archive_model(str(tmp_path), weights="weights.th")
    loaded = load_archive(str(tmp_path / "model.tar.gz")).model
    model.eval()
    loaded.eval()
    assert_same(loaded.forward_on_instances(instances), model.forward_on_instances(instances), name)
