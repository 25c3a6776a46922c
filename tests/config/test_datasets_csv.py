from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from parity.config.datasets import load, table
from parity.config.datasets.encoding import scaled
from parity.errors import UsageError


@pytest.fixture
def csv_file(tmp_path: Path):
    def write(content: str | bytes, name: str = "data.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def refusal(name: str, target: str | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        load(name, target)
    message = str(caught.value)
    assert message.isprintable(), "one line"
    if name.isprintable() and name.endswith(".csv"):
        assert message.startswith(f"{name}: ")
        message = message.removeprefix(f"{name}: ")
    return message


# --- Scaling and targets --------------------------------------------------------------------------


@settings(deadline=None)
@given(arrays(np.float64, (7, 3), elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_columns_are_scaled_into_0_1_and_reach_both_ends(columns):
    found = scaled(columns)
    assert np.all((found >= 0) & (found <= 1))
    varies = columns.min(axis=0) < columns.max(axis=0)
    assert np.array_equal(found.min(axis=0), np.zeros(3))
    assert np.array_equal(found.max(axis=0), varies.astype(np.float64))


def test_a_span_beyond_the_largest_float_is_scaled_too():
    assert scaled(np.array([[-1.5e308], [1.5e308], [0.0]])).tolist() == [[0], [1], [0.5]]


def test_features_are_scaled_and_a_constant_one_is_0(csv_file):
    data = load(csv_file("p,same,y\n2,7,a\n4,7,b\n3,7,a\n"))
    assert data.x.tolist() == [[0, 0], [1, 0], [0.5, 0]]
    assert data.features == ("p", "same")
    assert data.name == "data.csv"


def test_a_text_target_is_classes_in_sorted_order(csv_file):
    data = load(csv_file("p,kind\n1,zebra\n2,ape\n3,zebra\n"))
    assert data.classes == ("ape", "zebra")
    assert data.y.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_few_whole_numbers_are_classes_in_the_order_of_numbers(csv_file):
    values = [10, 9, 10.0, -1, 9, -1, 10]
    data = load(csv_file("y,p\n" + "".join(f"{v},{k}\n" for k, v in enumerate(values))), "y")
    assert data.classes == ("-1", "9", "10")
    assert data.y.argmax(axis=1).tolist() == [2, 1, 2, 0, 1, 0, 2]
    assert data.features == ("p",)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0, 1, 0, 1, 0], 2),
        ([0, 1, 0, 1], None),  # half of the rows: not fewer
        ([0, 1, 0, 1.5, 0, 1, 0], None),  # not whole
        ([k % 20 for k in range(41)], 20),
        ([k % 20 for k in range(40)], None),
        ([k % 21 for k in range(60)], None),
    ],
)
def test_where_classes_end_and_regression_begins(csv_file, values, classes):
    data = load(csv_file("p,y\n" + "".join(f"{k},{v}\n" for k, v in enumerate(values))))
    assert data.y.shape == (len(values), classes or 1)
    assert (data.classes is None) == (classes is None)
    if classes is None:
        assert (data.y.min(), data.y.max()) == (0, 1)
        assert data.y[:, 0].tolist() == [(v - min(values)) / (max(values) - min(values)) for v in values]


def test_targets_that_nothing_can_be_learnt_from_are_refused(csv_file):
    for value in ("a", "1", "2.5"):
        name = csv_file("p,y\n" + f"1,{value}\n2,{value}\n")
        assert refusal(name) == "target 'y' is the same in every row: there is nothing to learn"
    many = csv_file("p,y\n" + "".join(f"{k},name{k}\n" for k in range(30)))
    assert refusal(many) == "target 'y' is text with 30 different values in 30 rows: too many for classes"
    more = csv_file("p,y\n" + "".join(f"{k},name{k % 1001}\n" for k in range(3003)))
    assert (
        refusal(more) == "target 'y' is text with 1001 different values in 3003 rows: too many for classes"
    )


# --- A stranger's file ----------------------------------------------------------------------------

ROWS = [["a b", "q", "kind"], ["1.5", "-2e3", "x"], [" 3 ", "4", "y"], ["2", ".5", "x"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("tail", ["", "\n", "\n\n  \n"])
def test_every_common_way_of_writing_a_table_is_read_alike(csv_file, delimiter, end, mark, tail):
    text = mark + end.join(delimiter.join(cells) for cells in ROWS) + tail.replace("\n", end)
    data = load(csv_file(text))
    assert data.features == ("a b", "q")
    assert data.x.tolist() == [[0, 0], [1, 1], [1 / 3, 2000.5 / 2004]]
    assert data.classes == ("x", "y")


def test_quoted_fields_may_hold_the_delimiter_quotes_and_lines(csv_file):
    data = load(csv_file('"p, all","said ""q""",kind\n"1",2,"x, y"\n3,"4","two\nlines"\n5,6,"x, y"\n'))
    assert data.features == ("p, all", 'said "q"')
    assert data.classes == ("two\nlines", "x, y")


def test_numbers_may_name_columns_but_data_is_no_header(csv_file):
    assert load(csv_file("0,1,2\n1,2,x\n3,4,y\n")).features == ("0", "1")
    assert load(csv_file("id,2019,2020,nan\n1,2,3,x\n2,3,4,y\n")).features == ("id", "2019", "2020")
    expected = "its first row holds numbers ('5.1', …), a header row is needed"
    assert refusal(csv_file("5.1,3.5,setosa\n4.9,3,virginica\n")) == expected
    assert refusal(csv_file("3,5,0\n4,9,1\n")) == expected.replace("5.1", "3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("p,q,y\n1,2,a\n1,two,b\n", "row 2 (line 3), column 'q': 'two' is not a number"),
        ("p,y\n1,a\n\n\n1_000,b\n", "row 2 (line 5), column 'p': '1_000' is not a number"),
        (
            "p;y\n1;a\n1,5;b\n",
            "row 2 (line 3), column 'p': '1,5' is not a number, write it with a decimal point",
        ),
        ("p,q,y\n1,2,a\n1, ,b\n", "row 2 (line 3), column 'q': the cell is empty"),
        ("p,q,y\n1,2,a\n1,2,\n", "row 2 (line 3), column 'y': the cell is empty"),
        ("p,q,y\n1,2,a\nnan,2,b\n", "row 2 (line 3), column 'p': nan is not a finite number"),
        ("p,q,y\n1,-inf,a\n1,2,b\n", "row 1 (line 2), column 'q': -inf is not a finite number"),
        ("p,q,y\n1,1e999,a\n1,2,b\n", "row 1 (line 2), column 'q': inf is not a finite number"),
        ("p,y\n1,3\n1,NaN\n", "row 2 (line 3), column 'y': 'NaN' is not a finite number"),
        ("p,y\n1,a\n1,inf\n", "row 2 (line 3), column 'y': 'inf' is not a finite number"),
        ("p,y\n1,a\n1,b,c\n", "line 3: 3 cells, the header has 2"),
        ('p,y\n1,"a\nb"\n1\n', "line 4: 1 cells, the header has 2"),
        ("p,y\n1,a\n", "has one data row, needs at least 2 samples"),
        ("p,y\n\n", "has no data row, needs at least 2 samples"),
        ("", "is empty, a header row is needed"),
        ("\ufeff\n \n", "is empty, a header row is needed"),
        ("p\n1\n2\n", "has one column, 'p': a feature and a target are needed"),
        ("p,,y\n1,2,a\n2,3,b\n", "column 2 has no name in the header row"),
        ("p,q,p\n1,2,a\n2,3,b\n", "has two columns named 'p'"),
        ('p,y\n1,"a\n2,b\n', "line 2: unexpected end of data"),
        ('p,y\n1,a\n2,"b"c\n', "line 3: ',' expected after '\"'"),
        ('p\ty\n1\ta\n2\t"b"c\n', "line 3: '\\t' expected after '\"'"),
        (
            "x" * 50 + ",y\nbad" + "x" * 60 + ",a\n2,b\n",
            f"row 1 (line 2), column '{'x' * 39}…': 'bad{'x' * 36}…' is not a number",
        ),
        (b"\xff\xfep\x00,\x00y\x00", "is not UTF-8 text"),
        ("año,y\n1,a\n2,b\n".encode("latin-1"), "is not UTF-8 text"),
        (b"p,y\n" + b"1,a\n" * 20_000 + b"2,\xe9\n", "is not UTF-8 text"),
        (b"\x00\x01\x02,\x03\n\x00,\x01\n", "is not text: its first line holds unprintable characters"),
        (b"p,y\n1,a\n\x00,b\n", "row 2 (line 3), column 'p': '\\x00' is not a number"),
    ],
)
def test_one_line_says_what_is_wrong_and_where(csv_file, content, message):
    assert refusal(csv_file(content)) == message


TOKENS = [
    "p",
    "q",
    ",",
    ";",
    "\t",
    "\n",
    "\r\n",
    '"',
    "1",
    "2.5",
    "-",
    "nan",
    " ",
    "\0",
    "\ufeff",
    "é",
    "\u2028",
]


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)))
def test_whatever_the_bytes_there_is_a_dataset_or_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        data = load(str(path))
    except UsageError as error:
        refused = str(error)
    else:
        assert len(data.x) == len(data.y) >= 2
        assert data.x.shape[1] == len(data.features) >= 1
        assert np.all((data.x >= 0) & (data.x <= 1) & np.isfinite(data.x))
        assert np.all((data.y >= 0) & (data.y <= 1) & np.isfinite(data.y))
        return
    assert refused.startswith(f"{path}: ")
    assert refused.isprintable()


def test_a_target_that_is_not_there_lists_the_columns(csv_file):
    assert (
        refusal(csv_file("p,q,y\n1,2,a\n2,3,b\n"), "z") == "has no column 'z'; its columns: 'p', 'q', 'y'"
    )
    many = csv_file(",".join(f"c{k}" for k in range(25)) + "\n")
    assert refusal(many, "z").endswith("'c18', 'c19', …")


def test_what_is_no_file_is_refused(tmp_path):
    assert refusal(str(tmp_path / "none.csv")) == "No such file or directory"
    (tmp_path / "folder.csv").mkdir()
    assert refusal(str(tmp_path / "folder.csv")) == "is a directory"
    os.mkfifo(tmp_path / "pipe.csv")  # reading it would wait for ever
    assert refusal(str(tmp_path / "pipe.csv")) == "is not a regular file"
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    assert refusal(str(tmp_path / "endless.csv")) == "is not a regular file"
    assert refusal("a\0b.csv") == "'a\\x00b.csv': embedded null byte"
    assert refusal("two\nlines.csv") == "'two\\nlines.csv': No such file or directory"


def test_a_file_beyond_the_bounds_is_refused(csv_file, tmp_path, monkeypatch):
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(512 * 2**20 + 1)  # sparse: it takes no room, and reading it would
    assert refusal(str(huge)) == "has 536870913 bytes, at most 536870912 are read"
    wide = csv_file(",".join(f"c{k}" for k in range(10_001)) + "\n")
    assert refusal(wide) == "has 10001 columns, at most 10000 are read"
    assert table.MOST_ROWS == 1_000_000
    monkeypatch.setattr(table, "MOST_ROWS", 3)
    rows = "p,y\n1,a\n2,b\n3,a\n"
    assert len(load(csv_file(rows)).x) == 3
    assert refusal(csv_file(rows + "4,b\n")) == "has more than 3 rows"
