"""A network in rows: what is read of it, and the line that says what is wrong with it."""

from __future__ import annotations

import tomllib

import pytest

from parity.config.case import build
from parity.config.config import read
from parity.config.modules import module_rows
from parity.errors import UsageError

NETWORK = """
[[network.modules]]
type = "Unflatten"
dim = 1
unflattened_size = [1, 2, 2]

[[network.modules]]
name = "first"
type = "Conv2d"
in_channels = 1
out_channels = 2
kernel_size = 1

[[network.modules]]
type = "ReLU"

[[network.modules]]
name = "both"
type = "add"
from = ["first", "relu3"]
"""


def rows(text):
    return module_rows(tomllib.loads(text)["network"]["modules"])


def test_a_row_reads_the_row_before_or_what_it_says():
    found = rows(NETWORK)
    assert [row.name for row in found] == ["unflatten1", "first", "relu3", "both"]
    assert [row.reads for row in found] == [("input",), ("unflatten1",), ("first",), ("first", "relu3")]
    assert found[1].options == {"in_channels": 1, "out_channels": 2, "kernel_size": 1}


WRONG = {
    'type = "Conv2D"\n': "row 1: type: unknown 'Conv2D'; did you mean 'Conv2d'?",
    "type = 3": "row 1: type: unknown 3",
    'name = "a"': "row 1: type is missing",
    'type = "Linear"\nin_features = 2': "row 1, linear1 (Linear): out_features is missing; its",
    'type = "Linear"\nin_feature = 2': "unknown 'in_feature'; did you mean 'in_features'",
    'type = "ReLU"\nfrom = "relu1"': "row 1, relu1 (ReLU): reads relu1, which does not stand above it",
    'type = "ReLU"\nfrom = "b"\n[[network.modules]]\ntype = "ReLU"\nname = "b"': "reads b, which does not",
    'type = "ReLU"\nfrom = "inptu"': "unknown 'inptu'; did you mean 'input'?",
    'type = "ReLU"\nname = "a.b"': "a name is made of letters",
    'type = "ReLU"\nname = "input"': "is not input",
    'type = "add"': "row 1, add1 (add): reads 1 where it takes 2 or more; say which by from",
    'type = "Linear"\nin_features = 2\nout_features = 2\nbias = "no"': "bias is true or false, not 'no'",
    'type = "ReLU"\nfrom = []': "reads 0 where it takes 1",
    'type = "MultiheadAttention"\nembed_dim = 2\nnum_heads = 1\nbatch_first = false': "must be true",
    'type = "ReLU"\n[[network.modules]]\ntype = "ReLU"\nfrom = "input"': "(ReLU): no row below",
    'type = "ReLU"\nname = "a"\n[[network.modules]]\ntype = "ReLU"\nname = "a"': "(ReLU): row 1 has",
    'type = "ReLU"\n[[network.modules]]\ntype = "add"\nfrom = ["input", "relu1"]\nweights = "relu1"': (
        "row 2, add2 (add): has no parameters of the same names and shapes as relu1"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        rows(f"[[network.modules]]\n{text}")
    assert WRONG[text] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_named_with_its_row(tmp_path):
    file = tmp_path / "net.toml"
    file.write_text(NETWORK.replace('"ReLU"', '"Relu"'), encoding="utf-8")
    with pytest.raises(UsageError, match=r"net\.toml: network\.modules: row 3: type: unknown 'Relu'; did"):
        read(file, {})


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"modules": []}, "at least 1 item"),
        ({"modules": [{"type": "ReLU"}], "layers": [2, 2]}, "leave out layers"),
        ({"modules": [{"type": "ReLU"}], "activation": "relu"}, "leave out activation"),
    ],
)
def test_modules_are_the_whole_network(network, said):
    with pytest.raises(UsageError, match=said):
        read({"network": network}, {})


def test_a_command_that_takes_layers_says_which_take_modules():
    config = read({"network": {"modules": [{"type": "ReLU"}]}}, {})
    with pytest.raises(UsageError, match="run, explain, graph and record take modules"):
        build(config)
