"""The decoder nets: against the stock one, against whole sequences, and under beam search."""

import warnings
from typing import Any, Dict, List, Tuple

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import END_SYMBOL, START_SYMBOL
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.modules import Attention
from allennlp_models.generation.modules.decoder_nets import DecoderNet

import allennlp_gated.decoder_nets
from allennlp_gated.ablation import ABLATIONS

DIM, EMBEDDING = 6, 5
State = Dict[str, torch.Tensor]
ATTENTIONS: Dict[str, Any] = {
    "none": None,
    "dot_product": {"type": "dot_product"},
    "bilinear": {"type": "bilinear", "vector_dim": DIM, "matrix_dim": DIM},
}
# The ways to decode: layers, attention, input feeding.
SET_UPS: Dict[str, Dict[str, Any]] = {
    "stock": {},
    "attention": {"attention": "dot_product"},
    "two_layers": {"num_layers": 2},
    "two_layers_attention": {"num_layers": 2, "attention": "bilinear"},
    "input_feeding": {"num_layers": 2, "attention": "bilinear", "input_feeding": True},
}


def decoder_net(name: str, attention: str = "none", **parameters: Any) -> Any:
    parameters = {
        "type": name,
        "decoding_dim": DIM,
        "target_embedding_dim": EMBEDDING,
        "bidirectional_input": True,
        **parameters,
    }
    if ATTENTIONS[attention] is not None:
        parameters["attention"] = dict(ATTENTIONS[attention])
    return DecoderNet.from_params(Params(parameters))


def model(name: str, beam_size: int = 3, max_steps: int = 5, **parameters: Any) -> Any:
    """A translator into the three words a, b, c."""
    vocabulary = Vocabulary(
        tokens_to_add={
            "source": [f"s{i}" for i in range(6)],
            "target": [START_SYMBOL, END_SYMBOL, "a", "b", "c"],
        }
    )
    net = {
        "type": name,
        "decoding_dim": DIM,
        "target_embedding_dim": EMBEDDING,
        "bidirectional_input": True,
        **parameters,
    }
    if "attention" in net:
        net["attention"] = dict(ATTENTIONS[net["attention"]])
    return Model.from_params(
        Params(
            {
                "type": "composed_seq2seq",
                "source_text_embedder": {
                    "token_embedders": {
                        "tokens": {
                            "type": "embedding",
                            "embedding_dim": 4,
                            "vocab_namespace": "source",
                        }
                    }
                },
                "encoder": {
                    "type": "lstm",
                    "input_size": 4,
                    "hidden_size": DIM // 2,
                    "bidirectional": True,
                },
                "decoder": {
                    "decoder_net": net,
                    "target_embedder": {"embedding_dim": EMBEDDING, "vocab_namespace": "target"},
                    "target_namespace": "target",
                    "beam_search": {"beam_size": beam_size, "max_steps": max_steps},
                },
                # Large weights, so that beams differ and cross.
                "initializer": {
                    "regexes": [[".*", {"type": "uniform", "a": -1.0, "b": 1.0}]],
                },
            }
        ),
        vocab=vocabulary,
    )


def tokens(rows: List[torch.Tensor]) -> Dict[str, Any]:
    return {"tokens": {"tokens": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)}}


def batch(translator: Any) -> Dict[str, Any]:
    """Three sources and targets, of different lengths."""
    source_size = translator.vocab.get_vocab_size("source")
    start, end, a, b, c = (
        translator.vocab.get_token_index(word, "target")
        for word in (START_SYMBOL, END_SYMBOL, "a", "b", "c")
    )
    sources = [torch.randint(2, source_size, (length,)) for length in (4, 1, 3)]
    targets = [[start, a, c, end], [start, b, b, a, c, end], [start, end]]
    return {
        "source_tokens": tokens(sources),
        "target_tokens": tokens([torch.tensor(row) for row in targets]),
    }


def steps(
    net: Any, state: State, encoder_out: State, embeddings: torch.Tensor
) -> Tuple[torch.Tensor, State]:
    """The output vectors of a decoder net that is fed the embeddings one by one."""
    outputs = []
    for t in range(embeddings.shape[1]):
        state, output = net(state, *encoder_out.values(), embeddings[:, : t + 1])
        outputs.append(output)
    return torch.stack(outputs, 1), state


def encoded(batch_size: int = 3, length: int = 4, dtype: torch.dtype = torch.float64) -> State:
    torch.manual_seed(1)
    lengths = torch.randint(1, length + 1, (batch_size,))
    mask = torch.arange(length) < lengths.unsqueeze(1)
    return {
        "encoder_outputs": torch.randn(batch_size, length, DIM, dtype=dtype),
        "source_mask": mask,
    }


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_full_equals_the_stock_decoder_net(attention: str) -> None:
    torch.manual_seed(0)
    stock = decoder_net("lstm_cell", attention)
    ours = allennlp_gated.decoder_nets.LstmCellDecoderNet.from_stock(stock)
    assert ours.get_output_dim() == stock.get_output_dim()
    encoder_out = encoded(dtype=torch.float32)
    embeddings = torch.randn(3, 7, EMBEDDING)
    state, stock_state = ours.init_decoder_state(encoder_out), stock.init_decoder_state(encoder_out)
    assert state.keys() == stock_state.keys()
    for name in state:
        torch.testing.assert_close(state[name], stock_state[name], rtol=0, atol=0)
    # The stock decoder net computes in single precision only: a few units of its last place.
    torch.testing.assert_close(
        steps(ours, state, encoder_out, embeddings),
        steps(stock, stock_state, encoder_out, embeddings),
        rtol=1e-6,
        atol=3e-7,
    )


def test_a_model_with_full_equals_the_stock_model() -> None:
    torch.manual_seed(0)
    stock = model("lstm_cell", attention="bilinear")
    ours = model("lstm_cell_full", attention="bilinear")
    net = ours._decoder._decoder_net.from_stock(stock._decoder._decoder_net)
    ours.load_state_dict(
        {
            **{k: v for k, v in stock.state_dict().items() if "_decoder_net" not in k},
            **{f"_decoder._decoder_net.{k}": v for k, v in net.state_dict().items()},
        }
    )
    data = batch(stock)
    losses = [one(**data)["loss"] for one in (ours, stock)]
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-6)
    for loss in losses:
        loss.backward()
    for name in (
        "_source_text_embedder.token_embedder_tokens.weight",
        "_encoder._module.bias_ih_l0",
    ):
        torch.testing.assert_close(
            ours.get_parameter(name).grad, stock.get_parameter(name).grad, rtol=1e-5, atol=1e-6
        )
    ours.eval(), stock.eval()
    found = ours(data["source_tokens"])
    expected = stock(data["source_tokens"])
    assert torch.equal(found["predictions"], expected["predictions"])
    torch.testing.assert_close(
        found["class_log_probabilities"], expected["class_log_probabilities"], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("key", ABLATIONS)
def test_step_by_step_equals_the_whole_sequence(key: str, num_layers: int) -> None:
    torch.manual_seed(0)
    net = decoder_net(f"lstm_cell_{key}", num_layers=num_layers).double()
    encoder_out = encoded()
    state = net.init_decoder_state(encoder_out)
    embeddings = torch.randn(3, 7, EMBEDDING, dtype=torch.float64)
    outputs, final_state = steps(net, state, encoder_out, embeddings)

    names = [name for name in ("decoder_hidden", "decoder_context") if name in state]
    assert len(names) == len(ABLATIONS[key].state_names)
    initial = tuple(state[name].reshape(num_layers, 3, DIM) for name in names)
    expected, final = net._decoder_cell(embeddings, initial)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-12)
    final = final if isinstance(final, tuple) else (final,)
    for name, tensor in zip(names, final):
        torch.testing.assert_close(
            final_state[name].reshape(num_layers, 3, DIM), tensor, rtol=0, atol=1e-12
        )


def test_input_feeding_is_that_of_luong_and_opennmt() -> None:
    """Written out with `torch.nn.LSTMCell`s, two layers."""
    torch.manual_seed(0)
    net = decoder_net("lstm_cell_full", "dot_product", num_layers=2, input_feeding=True).double()
    cells = [torch.nn.LSTMCell(size, DIM).double() for size in (DIM + EMBEDDING, DIM)]
    with torch.no_grad():
        for layer, cell in enumerate(cells):
            cell.weight_ih.copy_(net._decoder_cell.get_parameter(f"weight_ih_l{layer}"))
            cell.weight_hh.copy_(net._decoder_cell.get_parameter(f"weight_hh_l{layer}"))
            cell.bias_ih.copy_(net._decoder_cell.get_parameter(f"bias_l{layer}"))
            cell.bias_hh.zero_()
    encoder_out = encoded()
    memory, mask = encoder_out.values()
    embeddings = torch.randn(3, 5, EMBEDDING, dtype=torch.float64)
    outputs, _ = steps(net, net.init_decoder_state(encoder_out), encoder_out, embeddings)

    last = mask.sum(1) - 1
    ends = torch.cat([memory[torch.arange(3), last, : DIM // 2], memory[:, 0, DIM // 2 :]], -1)
    states = [(ends, torch.zeros_like(ends)) for _ in cells]
    fed = torch.zeros_like(ends)
    for t in range(5):
        below = torch.cat([fed, embeddings[:, t]], -1)
        for layer, cell in enumerate(cells):
            states[layer] = cell(below, states[layer])
            below = states[layer][0]
        scores = torch.einsum("bd,bsd->bs", below, memory).masked_fill(~mask, -1e30)
        context = torch.einsum("bs,bsd->bd", scores.softmax(-1), memory)
        fed = torch.tanh(torch.cat([context, below], -1) @ net._attentional_layer.weight.t())
        torch.testing.assert_close(outputs[:, t], fed, rtol=0, atol=1e-10)


@pytest.mark.parametrize("set_up", SET_UPS)
@pytest.mark.parametrize("key", ABLATIONS)
def test_scores_of_beam_search_are_those_of_its_words(key: str, set_up: str) -> None:
    """A state that is not moved with its beam gives a score that its words do not have."""
    torch.manual_seed(0)
    translator = model(f"lstm_cell_{key}", **SET_UPS[set_up]).eval()
    source = batch(translator)["source_tokens"]
    with torch.no_grad():
        found = translator(source)
        end = translator._decoder._end_index
        for beam in range(found["predictions"].shape[1]):
            words = found["predictions"][:, beam]
            scores = teacher_forced_scores(translator, source, words, end)
            torch.testing.assert_close(
                found["class_log_probabilities"][:, beam], scores, rtol=0, atol=1e-5
            )


def teacher_forced_scores(
    translator: Any, source: Any, words: torch.Tensor, end: int
) -> torch.Tensor:
    """The log-probabilities of rows of words, one after the other without any search."""
    decoder = translator._decoder
    state = translator._encode(source)
    state.update(decoder._decoder_net.init_decoder_state(state))
    previous = torch.full_like(words[:, 0], decoder._start_index)
    ended = torch.zeros_like(previous, dtype=torch.bool)
    total = torch.zeros(len(words))
    for t in range(words.shape[1]):
        logits, state = decoder._prepare_output_projections(previous, state)
        scores = logits.log_softmax(-1).gather(1, words[:, t : t + 1]).squeeze(1)
        total = total + scores.masked_fill(ended, 0.0)
        ended = ended | (words[:, t] == end)
        previous = words[:, t]
    return total


@pytest.mark.parametrize("key", ABLATIONS)
def test_beam_search_finds_what_a_plain_one_finds(key: str) -> None:
    """The plain one keeps lists of words and computes each score from the first word on."""
    torch.manual_seed(0)
    beam_size, length = 4, 5
    translator = model(f"lstm_cell_{key}", beam_size, length, **SET_UPS["input_feeding"]).eval()
    end = translator._decoder._end_index
    words = range(translator.vocab.get_vocab_size("target"))
    sources = batch(translator)["source_tokens"]
    with torch.no_grad():
        found = translator(sources)
        for row, source in enumerate(sources["tokens"]["tokens"]):
            beam: List[List[int]] = [[]]
            for _ in range(length):
                longer = torch.tensor(
                    [
                        [*prefix, word]
                        for prefix in beam
                        for word in words
                        if end not in prefix or word == end
                    ]
                )
                copies = {"tokens": {"tokens": source[source > 0].expand(len(longer), -1)}}
                scores = teacher_forced_scores(translator, copies, longer, end)
                best = scores.topk(beam_size)
                beam = longer[best.indices].tolist()
            assert found["predictions"][row].tolist() == beam
            torch.testing.assert_close(
                found["class_log_probabilities"][row], best.values, rtol=0, atol=1e-5
            )


@pytest.mark.filterwarnings("ignore:attention. nothing in")
@pytest.mark.parametrize("set_up", SET_UPS)
@pytest.mark.parametrize("key", ABLATIONS)
def test_every_parameter_gets_a_gradient(key: str, set_up: str) -> None:
    torch.manual_seed(0)
    translator = model(f"lstm_cell_{key}", **SET_UPS[set_up])
    reads_source = "attention" in SET_UPS[set_up] or ABLATIONS[key].sees_hidden
    trained = translator if reads_source else translator._decoder
    translator(**batch(translator))["loss"].backward()
    for name, parameter in trained.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not name.endswith("_attention._bias"):  # a softmax does not see a constant
            assert parameter.grad.abs().sum() > 0, name


def test_dropout_acts_on_outputs_and_not_on_states() -> None:
    torch.manual_seed(0)
    dropped = decoder_net("lstm_cell_full", "dot_product", dropout=0.5)
    encoder_out = encoded(batch_size=50, dtype=torch.float32)
    embeddings = torch.randn(50, 1, EMBEDDING)
    state = dropped.init_decoder_state(encoder_out)
    new_state, output = dropped(state, *encoder_out.values(), embeddings)
    share = (output == 0).float().mean().item()
    assert 0.35 < share < 0.65
    assert (new_state["decoder_hidden"] != 0).all()
    kept = output != 0
    torch.testing.assert_close(output[kept], 2 * new_state["decoder_hidden"][kept])
    dropped.eval()
    _, output = dropped(state, *encoder_out.values(), embeddings)
    torch.testing.assert_close(output, new_state["decoder_hidden"])


def test_dropout_acts_between_layers_and_on_what_is_fed() -> None:
    torch.manual_seed(0)
    net = decoder_net(
        "lstm_cell_full", "dot_product", num_layers=2, dropout=0.5, input_feeding=True
    )
    encoder_out = encoded(batch_size=50, dtype=torch.float32)
    embeddings = torch.randn(50, 1, EMBEDDING)
    state = net.init_decoder_state(encoder_out)
    (first, output), (second, _) = (net(state, *encoder_out.values(), embeddings) for _ in range(2))
    assert torch.equal(first["attentional_hidden"], output)
    assert (output == 0).any()
    assert torch.equal(first["decoder_hidden"][0], second["decoder_hidden"][0])
    assert not torch.equal(first["decoder_hidden"][1], second["decoder_hidden"][1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"input_feeding": True}, "input_feeding"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"decoding_dim": 0}, "decoding_dim"),
        ({"target_embedding_dim": 0}, "target_embedding_dim"),
    ],
)
def test_what_is_not_allowed_is_named(parameters: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        decoder_net("lstm_cell_no_srnn", **parameters)


@pytest.mark.parametrize("key", ABLATIONS)
def test_warns_if_nothing_of_the_source_reaches_the_decoder(key: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoder_net(f"lstm_cell_{key}")
    expected = [] if ABLATIONS[key].sees_hidden else [f"attention: nothing in {key} sees"]
    assert [str(one.message)[: len(start)] for one, start in zip(caught, expected)] == expected
    assert len(caught) == len(expected)


def test_attention_can_be_given_as_a_module() -> None:
    net = DecoderNet.by_name("lstm_cell_no_gates")(
        DIM, EMBEDDING, Attention.by_name("dot_product")()
    )
    assert net.target_embedding_dim == EMBEDDING
    assert not net.decodes_parallel
    assert "decoder_context" not in net.init_decoder_state(encoded())
