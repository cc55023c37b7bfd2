import math

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.nn.initializers import Initializer, InitializerApplicator

from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.lstm import AblatedLstm
from tests.scalar_oracle import ROWS

each_key = pytest.mark.parametrize("key", ABLATIONS)


def initialize(module, *regexes):
    InitializerApplicator.from_params(Params({"regexes": list(regexes)}))(module)


@each_key
def test_xavier_has_the_same_bound_in_every_block(key):
    lstm = AblatedLstm(key, 60, 60)
    initialize(lstm, ["weight", {"type": "by_block", "initializer": "xavier_uniform"}])
    bound = math.sqrt(6 / (60 + 60))
    for name, weight in lstm.named_parameters():
        if name.startswith("weight"):
            for block in weight.split(60):
                assert 0.95 * bound < block.abs().max() <= bound


@each_key
def test_orthogonal_makes_every_block_orthogonal(key):
    lstm = AblatedLstm(key, 20, 20)
    options = {"type": "by_block", "initializer": {"type": "orthogonal", "gain": 2.0}}
    initialize(lstm, ["weight", options])
    for name, weight in lstm.named_parameters():
        if name.startswith("weight"):
            for block in weight.split(20):
                torch.testing.assert_close(block @ block.t(), 4 * torch.eye(20), rtol=0, atol=1e-4)


def test_the_stock_initializer_depends_on_the_number_of_blocks():
    """What `by_block` is there for, with the figures that its module gives."""
    bounds = []
    for rows in (1600, 400):
        weight = torch.empty(rows, 400)
        torch.nn.init.xavier_uniform_(weight)
        bounds.append(round(weight.abs().max().item(), 4))
    assert bounds == [0.0548, 0.0866]


@each_key
def test_forget_gate_bias_reaches_the_forget_gate_alone(key):
    lstm = AblatedLstm(key, 3, 4, num_layers=2, bidirectional=True)
    initialize(lstm, ["bias", {"type": "forget_gate_bias", "value": 2.5}])
    expected = [2.5 if block == "f" else 0.0 for block in ROWS[key][2] for _ in range(4)]
    biases = [one.tolist() for name, one in lstm.named_parameters() if "bias" in name]
    assert biases == [expected] * 4


def test_a_number_of_blocks_serves_parameters_of_others():
    lstm = torch.nn.LSTM(60, 60)
    options = {"type": "by_block", "initializer": "xavier_uniform", "num_blocks": 4}
    initialize(lstm, ["weight_ih", options])
    bound = math.sqrt(6 / (60 + 60))
    for block in lstm.weight_ih_l0.split(60):
        assert 0.95 * bound < block.abs().max() <= bound


@pytest.mark.parametrize("num_blocks", [None, 3])
def test_parameters_of_others_need_a_number_that_divides_them(num_blocks):
    initializer = Initializer.from_params(
        Params({"type": "by_block", "initializer": "zero", "num_blocks": num_blocks})
    )
    with pytest.raises(ConfigurationError, match=r"num_blocks: weight is no parameter .* 16 rows"):
        initializer(torch.nn.LSTM(3, 4).weight_ih_l0, parameter_name="weight")


def test_a_bad_number_of_blocks_is_named():
    params = Params({"type": "by_block", "initializer": "zero", "num_blocks": 0})
    with pytest.raises(ConfigurationError, match="num_blocks: must be an integer of at least 1"):
        Initializer.from_params(params)


@pytest.mark.parametrize("name", ["weight_ih_l0", "bias_hh_l0"])
def test_forget_gate_bias_refuses_what_it_does_not_know(name):
    module = torch.nn.LSTM(3, 4) if name == "bias_hh_l0" else AblatedLstm("full", 3, 4)
    with pytest.raises(ConfigurationError, match=f"forget_gate_bias: {name} is no bias"):
        initialize(module, [name, "forget_gate_bias"])
