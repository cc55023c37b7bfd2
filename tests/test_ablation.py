import pytest
from allennlp.common.checks import ConfigurationError

from allennlp_gated.ablation import (
    ABLATIONS,
    CONTENT,
    FORGET_GATE,
    HIGHWAY_GATE,
    HIGHWAY_INPUT,
    INPUT_GATE,
    OUTPUT_GATE,
    get_ablation,
)
from tests.scalar_oracle import ROWS

LETTERS = {"i": INPUT_GATE, "f": FORGET_GATE, "g": CONTENT, "o": OUTPUT_GATE}


def test_the_table_is_the_documented_one():
    table = {
        key: (one.layout.input_blocks, one.layout.hidden_blocks, one.layout.bias_blocks)
        for key, one in ABLATIONS.items()
    }
    assert table == {
        key: tuple(tuple(LETTERS[letter] for letter in blocks) for blocks in rows)
        for key, rows in ROWS.items()
    }


def test_parts_follow_from_the_layout():
    parts = {
        key: (
            one.has_memory_cell,
            one.has_output_gate,
            one.has_recurrent_content,
            one.sees_hidden,
        )
        for key, one in ABLATIONS.items()
    }
    assert parts == {
        "full": (True, True, True, True),
        "no_srnn": (True, True, False, True),
        "no_srnn_no_out": (True, False, False, True),
        "no_srnn_no_hidden": (True, True, False, False),
        "no_gates": (False, False, True, True),
    }


@pytest.mark.parametrize("key", ABLATIONS)
def test_highway_blocks_follow_after_the_others(key):
    layout, plain = get_ablation(key).layout_with(highway=True), get_ablation(key).layout
    assert layout.input_blocks == plain.input_blocks + (HIGHWAY_GATE, HIGHWAY_INPUT)
    gate = (HIGHWAY_GATE,) if plain.hidden_blocks else ()
    assert layout.hidden_blocks == plain.hidden_blocks + gate
    assert get_ablation(key).layout_with(highway=False) == plain


def test_unknown_key_names_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"ablation: 'lstm' is not a key.*no_srnn_no_out"):
        get_ablation("lstm")
