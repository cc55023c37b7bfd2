import copy

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import Params
from allennlp.modules import Seq2SeqEncoder, Seq2VecEncoder
from allennlp.modules.seq2seq_encoders import PytorchSeq2SeqWrapper

import allennlp_gated  # noqa: F401
from allennlp_gated.ablation import ABLATIONS
from allennlp_gated.independent_lstm import IndependentLstm
from allennlp_gated.registration import STOCK_FAMILIES
from allennlp_gated.weighted_sum import weight_norms, weighted_sums
from allennlp_gated.weighted_sum.recorder import WeightRecorder

WITH_MEMORY_CELL = [key for key, row in ABLATIONS.items() if row.has_memory_cell]


def encoder_of(kind, base=Seq2SeqEncoder, **extra):
    params = {"type": kind, "input_size": 3, "hidden_size": 4, **extra}
    if "augmented" not in kind:
        params["num_layers"] = 2
    torch.manual_seed(1)
    return base.from_params(Params(params)).double()


def batch(*lengths, seed=2):
    torch.manual_seed(seed)
    inputs = torch.randn(len(lengths), max(lengths), 3, dtype=torch.float64)
    mask = torch.arange(max(lengths)).unsqueeze(0) < torch.tensor(lengths).unsqueeze(1)
    return inputs, mask


def dropout_of(family):
    return {"dropout": 0.4} if family == "lstm" else {"recurrent_dropout_probability": 0.4}


class TestOurEncoders:
    @pytest.mark.parametrize("family", STOCK_FAMILIES)
    @pytest.mark.parametrize("key", WITH_MEMORY_CELL)
    @pytest.mark.filterwarnings("ignore:recurrent_dropout_probability")
    def test_are_recorded_and_not_changed(self, family, key):
        encoder = encoder_of(f"{family}_{key}", **dropout_of(family))
        inputs, mask = batch(3, 5, 0, 5)
        for training in (True, False):
            results = []
            for recorded in (False, True):
                twin = copy.deepcopy(encoder).train(training)
                torch.manual_seed(9)
                if recorded:
                    with WeightRecorder(twin) as recorder:
                        outputs = twin(inputs, mask)
                else:
                    outputs = twin(inputs, mask)
                outputs.pow(2).sum().backward()
                gradients = [one.grad for one in twin.parameters()]
                results.append([outputs.detach(), torch.get_rng_state(), *gradients])
            for plain, observed in zip(*results):
                assert torch.equal(plain, observed)

            assert recorder.layers
            for layer in recorder.layers:
                assert layer.ablation == key
                assert layer.rows == [0, 1, 2, 3]
                assert torch.equal(layer.parts.lengths, torch.tensor([3, 5, 0, 5]))
                torch.testing.assert_close(
                    weighted_sums(layer.parts), layer.parts.memory_cell, rtol=0, atol=1e-12
                )
            # What the top layer handed on is what the model got.
            top = [one for one in recorder.layers if one.layer == recorder.layers[-1].layer]
            handed_on = torch.cat([one.parts.hidden for one in top], -1).transpose(0, 1)
            torch.testing.assert_close(handed_on.detach(), results[1][0], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("key", WITH_MEMORY_CELL)
    def test_have_the_memory_cells_that_they_end_with(self, key):
        """The parts are made again from the outputs; the final memory cell is the layer's own."""
        module = encoder_of(f"stacked_bidirectional_lstm_{key}")._module
        inputs, mask = batch(3, 5)
        with WeightRecorder(module) as recorder:
            _, (_, memory_cells) = module(inputs, lengths=mask.sum(1))
        order = [(one.layer, one.direction) for one in recorder.layers]
        assert order == [(0, "forward"), (0, "backward"), (1, "forward"), (1, "backward")]
        for layer, memory_cell in zip(recorder.layers, memory_cells):
            cells = layer.parts.memory_cell
            if layer.direction == "backward":
                final = cells[0]
            else:
                final = cells[torch.tensor([2, 4]), torch.arange(2)]
            torch.testing.assert_close(final, memory_cell, rtol=0, atol=1e-12)

    def test_called_twice_are_recorded_twice_in_order(self):
        encoder = encoder_of("lstm_full")
        first, second = batch(4, 2), batch(6, 1, seed=5)
        with WeightRecorder(encoder) as recorder:
            encoder(*first)
            encoder(*second)
        assert [(one.call, one.layer) for one in recorder.layers] == [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
        ]
        assert [one.parts.content.shape[0] for one in recorder.layers] == [4, 4, 6, 6]

    def test_start_from_the_state_that_they_carry(self):
        encoder = encoder_of("lstm_no_srnn", stateful=True)
        with WeightRecorder(encoder) as recorder:
            encoder(*batch(4, 4))
            encoder(*batch(3, 3, seed=5))
        first, second = recorder.layers[0].parts, recorder.layers[2].parts
        torch.testing.assert_close(second.memory_cell_0, first.memory_cell[-1])
        assert second.memory_cell_0.abs().max() > 0
        torch.testing.assert_close(weighted_sums(second), second.memory_cell)

    def test_of_a_chosen_layer_and_direction(self):
        encoder = encoder_of("stacked_bidirectional_lstm_full")
        with WeightRecorder(encoder, [1], ["backward"]) as recorder:
            encoder(*batch(4, 2))
        assert [(one.layer, one.direction) for one in recorder.layers] == [(1, "backward")]

    def test_that_never_meet_are_one_encoder(self):
        module = IndependentLstm("full", 3, 4, num_layers=2).double()
        with WeightRecorder(module) as recorder:
            module(batch(4, 2)[0])
        assert {one.module for one in recorder.layers} == {"encoder"}
        assert {(one.layer, one.direction, one.call) for one in recorder.layers} == {
            (layer, direction, 0) for layer in (0, 1) for direction in ("forward", "backward")
        }

    def test_are_left_alone_afterwards(self):
        encoder = encoder_of("lstm_full")
        recorder = WeightRecorder(encoder)
        with pytest.raises(ConfigurationError, match="mask"), recorder:
            encoder(batch(4, 2)[0], batch(3, 2)[1])
        with recorder:
            encoder(*batch(4, 2))
        assert len(recorder.take()) == 2
        encoder(*batch(4, 2))
        assert recorder.layers == []

    def test_let_gradients_through(self):
        encoder = encoder_of("lstm_full")
        inputs, mask = batch(4, 2)
        inputs.requires_grad_()
        with WeightRecorder(encoder) as recorder:
            encoder(inputs, mask)
        weight_norms(recorder.layers[1].parts).sum().backward()
        assert inputs.grad.abs().sum() > 0
        assert (inputs.grad[1, 2:] == 0).all()


class TestStockEncoders:
    @pytest.mark.parametrize(
        ("family", "base"),
        # The stock `augmented_lstm` does not run as a Seq2VecEncoder: it has no `hidden_size`.
        [(family, Seq2SeqEncoder) for family in STOCK_FAMILIES]
        + [(family, Seq2VecEncoder) for family in STOCK_FAMILIES if family != "augmented_lstm"],
    )
    def test_are_recorded_as_what_they_convert_to(self, family, base):
        """An unsorted batch with an empty row: the stock wrapper sorts it, and ours does not."""
        stock = encoder_of(family, base).eval()
        ours = encoder_of(f"{family}_full", base).eval()
        convert = "from_torch" if family == "lstm" else "from_stock"
        ours._module = getattr(type(ours._module), convert)(stock._module)
        inputs, mask = batch(2, 5, 0, 3)
        plain = stock(inputs, mask)
        state = torch.get_rng_state()
        with WeightRecorder(stock) as recorder:
            observed = stock(inputs, mask)
        assert torch.equal(plain, observed)
        assert torch.equal(state, torch.get_rng_state())
        with WeightRecorder(ours) as expected:
            ours(inputs, mask)
        assert len(recorder.layers) == len(expected.layers) > 0
        for theirs, our in zip(recorder.layers, expected.layers):
            assert theirs[1:5] == our[1:5]
            assert theirs.module == "encoder"
            assert theirs.rows == [1, 3, 0]
            for place, row in enumerate(theirs.rows):
                torch.testing.assert_close(
                    theirs.parts.row(place).memory_cell, our.parts.row(row).memory_cell
                )

    @pytest.mark.parametrize("batch_first", [False, True])
    def test_without_a_wrapper(self, batch_first):
        torch.manual_seed(1)
        lstm = torch.nn.LSTM(3, 4, batch_first=batch_first).double()
        inputs = torch.randn(5, 2, 3, dtype=torch.float64)
        state = tuple(torch.randn(2, 1, 2, 4, dtype=torch.float64).unbind(0))
        with WeightRecorder(lstm) as recorder:
            _, (_, memory_cell) = lstm(inputs.transpose(0, 1) if batch_first else inputs, state)
        parts = recorder.layers[0].parts
        torch.testing.assert_close(parts.memory_cell[-1], memory_cell[0])
        torch.testing.assert_close(parts.memory_cell_0, state[1][0])
        with WeightRecorder(lstm) as recorder:
            lstm(inputs[:, 0])
        assert recorder.layers[0].parts.content.shape == (5, 1, 4)

    @pytest.mark.parametrize("family", STOCK_FAMILIES)
    def test_with_secret_dropout_raise_in_training_mode(self, family):
        encoder = encoder_of(family, **dropout_of(family))
        message = "draws dropout masks in training mode"
        with WeightRecorder(encoder), pytest.raises(ConfigurationError, match=message):
            encoder(*batch(3, 2))
        encoder.eval()
        with WeightRecorder(encoder) as recorder:
            encoder(*batch(3, 2))
        assert recorder.layers


class TestModelsWithoutAMemoryCell:
    @pytest.mark.parametrize(
        "key", [key for key, row in ABLATIONS.items() if not row.has_memory_cell]
    )
    def test_are_told_so(self, key):
        with pytest.raises(ConfigurationError, match=f"memory cell.*{key} at 'encoder'"):
            WeightRecorder(encoder_of(f"lstm_{key}"))

    def test_name_what_they_have(self):
        gru = PytorchSeq2SeqWrapper(torch.nn.GRU(3, 4, batch_first=True))
        with pytest.raises(ConfigurationError, match="GRU at 'encoder'"):
            WeightRecorder(gru)
        with pytest.raises(ConfigurationError, match="no recurrent encoder with a memory cell"):
            WeightRecorder(torch.nn.Linear(3, 4))

    def test_may_have_another_encoder_with_one(self):
        model = torch.nn.ModuleDict(
            {"a": encoder_of("lstm_no_gates"), "b": encoder_of("lstm_full")}
        )
        with WeightRecorder(model) as recorder:
            for encoder in model.values():
                encoder(*batch(3, 2))
        assert {one.module for one in recorder.layers} == {"b"}
