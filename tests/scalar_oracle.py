"""
The equations of Levy et al. 2018 in plain Python numbers: one row, one direction, no tensors, and
nothing imported from the package. The rows of each parameter are those that the README documents.
"""

import math
from typing import Dict, List, Optional, Tuple

Vector = List[float]
Matrix = List[Vector]

# key: blocks that see x, blocks that see h, blocks with a bias
ROWS: Dict[str, Tuple[str, str, str]] = {
    "full": ("ifgo", "ifgo", "ifgo"),
    "no_srnn": ("ifgo", "ifo", "ifo"),
    "no_srnn_no_out": ("ifg", "if", "if"),
    "no_srnn_no_hidden": ("ifgo", "", "ifo"),
    "no_gates": ("g", "g", "g"),
}


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def dot(row: Vector, vector: Vector) -> float:
    return sum(a * b for a, b in zip(row, vector))


def run(
    key: str,
    weight_ih: Matrix,
    weight_hh: Optional[Matrix],
    bias: Optional[Vector],
    inputs: Matrix,
    hidden: Vector,
    memory_cell: Vector,
) -> Tuple[Matrix, Vector]:
    """Returns every step's hidden state, and the last memory cell."""
    see_input, see_hidden, have_bias = ROWS[key]
    size = len(weight_ih) // len(see_input)
    outputs = []
    for x in inputs:
        new_hidden, new_memory_cell = [], []
        for unit in range(size):

            def total(block: str) -> float:
                z = dot(weight_ih[see_input.index(block) * size + unit], x)
                if block in see_hidden:
                    z += dot(weight_hh[see_hidden.index(block) * size + unit], hidden)
                if bias is not None and block in have_bias:
                    z += bias[have_bias.index(block) * size + unit]
                return z

            if key == "no_gates":
                new_hidden.append(math.tanh(total("g")))  # (1)
                continue
            content = math.tanh(total("g")) if key == "full" else total("g")  # (2)
            c = sigmoid(total("i")) * content + sigmoid(total("f")) * memory_cell[unit]  # (3)-(5)
            out = 1.0 if key == "no_srnn_no_out" else sigmoid(total("o"))  # (6)
            new_memory_cell.append(c)
            new_hidden.append(out * math.tanh(c))  # (7)
        hidden, memory_cell = new_hidden, new_memory_cell
        outputs.append(hidden)
    return outputs, memory_cell
