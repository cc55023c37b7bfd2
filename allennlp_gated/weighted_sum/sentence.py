"""What is kept of one sentence: its words, what is known of them, and the norms of its weights."""

from typing import Any, Dict, List, NamedTuple, Optional

import numpy
from allennlp.data import Instance
from allennlp.data.fields import SequenceLabelField, TextField

from allennlp_gated.weighted_sum.recorder import RecordedLayer
from allennlp_gated.weighted_sum.weights import (
    initial_state_weights,
    largest_weights,
    weight_norms,
)


class Word(NamedTuple):
    """
    A word with its place in the sentence's tree, as far as the input says.

    # Parameters

    form : `str`
        The word as the model saw it.
    pos : `Optional[str]`
        Its part of speech.
    relation : `Optional[str]`
        Its dependency relation to its head.
    head : `Optional[int]`
        Its head's position from 1, or 0 for the root, as in CoNLL-U.
    """

    form: str
    pos: Optional[str] = None
    relation: Optional[str] = None
    head: Optional[int] = None


class WeighedLayer(NamedTuple):
    """
    The weights of one run of one direction of one layer over one sentence of T words.

    # Parameters

    module : `str`
        Where the encoder is in the model.
    call : `int`
        Which of the encoder's runs it was, from 0.
    layer : `int`
        The layer's index, from 0.
    direction : `str`
        `forward` or `backward`.
    ablation : `str`
        The key of the ablation.
    text : `str`
        The name of the text that it read.
    norms : `numpy.ndarray`
        |w_j^t| at [j, t], shape (T, T).
    initial_state : `numpy.ndarray`
        The norm of the initial memory cell's weights at each t, shape (T,).
    values : `numpy.ndarray`
        The largest weights of each pair of words, shape (T, T, count).
    dimensions : `numpy.ndarray`
        The memory cells that they belong to, shape (T, T, count).
    """

    module: str
    call: int
    layer: int
    direction: str
    ablation: str
    text: str
    norms: numpy.ndarray
    initial_state: numpy.ndarray
    values: numpy.ndarray
    dimensions: numpy.ndarray

    def to_json(self) -> Dict[str, Any]:
        """All but the largest dimensions, the norms as lists of rows j."""
        return {
            "module": self.module,
            "call": self.call,
            "layer": self.layer,
            "direction": self.direction,
            "ablation": self.ablation,
            "text": self.text,
            "norms": [[_short(norm) for norm in row] for row in self.norms],
            "initial_state": [_short(norm) for norm in self.initial_state],
        }


class WeighedSentence(NamedTuple):
    """
    # Parameters

    number : `int`
        Which instance of the input it is, from 1.
    texts : `Dict[str, List[Word]]`
        The words of each text that an encoder read, by the name of the instance's field.
    layers : `List[WeighedLayer]`
        The runs of its encoders, in order.
    """

    number: int
    texts: Dict[str, List[Word]]
    layers: List[WeighedLayer]

    def to_json(self) -> Dict[str, Any]:
        """One line of `weights.jsonl`."""
        return {
            "sentence": self.number,
            "texts": {name: [word.form for word in words] for name, words in self.texts.items()},
            "layers": [layer.to_json() for layer in self.layers],
        }


def weigh_instance(
    number: int,
    instance: Instance,
    place: int,
    recorded: List[RecordedLayer],
    count: int = 3,
) -> WeighedSentence:
    """
    # Parameters

    number : `int`
        Which instance of the input it is, from 1.
    instance : `Instance`
        The instance.
    place : `int`
        Its place in the batch.
    recorded : `List[RecordedLayer]`
        What was recorded while the model ran on the batch.
    count : `int`, optional (default = `3`)
        How many of the largest dimensions to keep for each pair of words; 0 keeps none.

    # Returns

    `WeighedSentence`
        Its weights. A run without a row for the instance is left out.
    """
    fields = text_fields(instance)
    texts: Dict[str, List[Word]] = {}
    layers: List[WeighedLayer] = []
    text_of_call: Dict[Any, str] = {}
    for one in recorded:
        if place not in one.rows:
            continue
        parts = one.parts.row(one.rows.index(place))
        length = int(parts.content.shape[0])
        call = (one.module, one.call)
        if call not in text_of_call:
            read_before = [text for (module, _), text in text_of_call.items() if module == call[0]]
            text_of_call[call] = text_that_was_read(fields, length, read_before)
        text = text_of_call[call]
        if text not in texts:
            texts[text] = (
                words_of(instance, text, fields[text])
                if text in fields
                else [Word(str(step + 1)) for step in range(length)]
            )
        largest = largest_weights(parts, count)
        layers.append(
            WeighedLayer(
                module=one.module,
                call=one.call,
                layer=one.layer,
                direction=one.direction,
                ablation=one.ablation,
                text=text,
                norms=weight_norms(parts)[..., 0].detach().cpu().numpy(),
                initial_state=initial_state_weights(parts)[:, 0]
                .norm(dim=-1)
                .detach()
                .cpu()
                .numpy(),
                values=largest.values[:, :, 0].cpu().numpy(),
                dimensions=largest.dimensions[:, :, 0].cpu().numpy(),
            )
        )
    return WeighedSentence(number, texts, layers)


def text_fields(instance: Instance) -> Dict[str, TextField]:
    """The texts of an instance by the names of their fields."""
    return {name: field for name, field in instance.fields.items() if isinstance(field, TextField)}


def words_of(instance: Instance, name: str, field: TextField) -> List[Word]:
    """
    The words of a text, with the part of speech, relation and head that the instance's labels or
    tokens bring: AllenNLP's readers of trees call the labels `pos_tags`, `head_tags` and
    `head_indices`.
    """
    labels: Dict[str, List[Any]] = {
        label: list(other.labels)
        for label, other in instance.fields.items()
        if isinstance(other, SequenceLabelField) and other.sequence_field is field
    }
    pos = labels.get("pos_tags") or [getattr(token, "pos_", None) for token in field.tokens]
    relations = labels.get("head_tags") or [None] * len(field.tokens)
    heads = labels.get("head_indices") or [None] * len(field.tokens)
    return [
        Word(
            token.text or str(token), one_pos or None, relation, None if head is None else int(head)
        )
        for token, one_pos, relation, head in zip(field.tokens, pos, relations, heads)
    ]


def text_that_was_read(fields: Dict[str, TextField], length: int, read_before: List[str]) -> str:
    """The text of that length, rather one that the same encoder has not read yet."""
    fitting = [name for name, field in fields.items() if len(field.tokens) == length]
    unread = [name for name in fitting if name not in read_before]
    # What no field holds, such as a text with boundary words added, is told by its steps alone.
    return (unread or fitting or [f"{length} steps"])[0]


def _short(number: float) -> float:
    """Six significant digits, which is all that float32 has."""
    return float(f"{number:.6g}")
