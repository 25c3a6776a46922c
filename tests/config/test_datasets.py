from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.config.datasets import Dataset, accuracy, load, split, table
from parity.config.datasets.encoding import scaled
from parity.errors import UsageError

# --- What ships -----------------------------------------------------------------------------------


def test_digits_are_the_1797_images_of_the_test_set():
    digits = load("digits")
    assert (digits.x.shape, digits.y.shape) == ((1797, 64), (1797, 10))
    assert digits.classes == tuple("0123456789")
    assert digits.y.sum(axis=0).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (digits.x.min(), digits.x.max(), digits.x.sum() * 16) == (0, 1, 561718)
    assert (digits.x[0, :8] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert digits.y[0].tolist() == [1] + 9 * [0]
    assert (digits.features[0], digits.features[9], digits.features[-1]) == (
        "pixel_0_0",
        "pixel_1_1",
        "pixel_7_7",
    )
    assert "10.24432/C50P49" in digits.source


def test_iris_is_fishers():
    iris = load("iris")
    assert (iris.x.shape, iris.y.shape) == ((150, 4), (150, 3))
    assert iris.classes == ("setosa", "versicolor", "virginica")
    assert iris.y.sum(axis=0).tolist() == [50, 50, 50]
    assert iris.features == tuple(
        f"{part} (cm)" for part in ("sepal length", "sepal width", "petal length", "petal width")
    )
    path = Path(table.__file__).parent / "iris.csv"
    lines = path.read_text().splitlines()
    assert (lines[35], lines[38]) == ("4.9,3.1,1.5,0.2,setosa", "4.9,3.6,1.4,0.1,setosa")  # not UCI's
    raw = np.loadtxt(lines[1:], delimiter=",", usecols=range(4))
    assert raw.min(axis=0).tolist() == [4.3, 2.0, 1.0, 0.1]  # the published summary statistics
    assert raw.max(axis=0).tolist() == [7.9, 4.4, 6.9, 2.5]
    assert np.round(raw.mean(axis=0), 2).tolist() == [5.84, 3.06, 3.76, 1.2]
    assert np.array_equal(iris.x, scaled(raw))


def test_sonnets_are_every_character_with_the_sixteen_before_it():
    sonnets = load("sonnets")
    text = (Path(table.__file__).parent / "sonnets.txt").read_text(encoding="utf-8").lower()
    names = [{"newline": "\n", "space": " "}.get(name, name) for name in sonnets.classes]
    assert (sonnets.x.shape, sonnets.y.shape) == ((3063, 16 * 34), (3063, 34))
    assert len(sonnets.features) == sonnets.x.shape[1]
    for sample in (0, 1, 3062):
        windows = sonnets.x[sample].reshape(16, 34)
        assert (windows.sum(axis=1) == 1).all()
        assert "".join(names[k] for k in windows.argmax(axis=1)) == text[sample : sample + 16]
        assert names[sonnets.y[sample].argmax()] == text[sample + 16]
    poems = text.strip().split("\n\n")
    assert [len(poem.splitlines()) for poem in poems] == 5 * [14]
    assert "public domain" in sonnets.source


def test_xor_is_the_four_cases():
    xor = load("xor")
    assert xor.classes is None
    assert [(*x, *y) for x, y in zip(xor.x, xor.y, strict=True)] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 1),
        (1, 1, 0),
    ]


def test_sources_and_licences_are_stated_beside_the_data():
    readme = (Path(table.__file__).parent / "README.md").read_text()
    for fact in (
        "Shakespeare",
        "public domain",
        "10.24432/C50P49",
        "10.24432/C56C76",
        "CC BY 4.0",
        "Alpaydin",
        "Kaynak",
        "Fisher",
        "38th",
    ):
        assert fact in readme


def test_unknown_names_and_a_target_nobody_takes_are_refused():
    with pytest.raises(
        UsageError, match=r"^data 'mnist': neither digits, iris, sonnets, xor nor a file ending in .csv$"
    ):
        load("mnist")
    with pytest.raises(
        UsageError, match=r"^target 'species': iris has its own, only a CSV file takes one$"
    ):
        load("iris", "species")


def test_reading_data_needs_no_torch():
    code = (
        "import sys; from parity.config.datasets import load; load('iris'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# --- Held back ------------------------------------------------------------------------------------


def test_a_fifth_is_held_back_the_same_for_the_same_seed():
    iris = load("iris")
    train, held = split(iris, 3)
    assert (len(train.x), len(held.x), len(train.y), len(held.y)) == (120, 30, 120, 30)
    both = np.concatenate([np.hstack([part.x, part.y]) for part in (train, held)])
    whole = np.hstack([iris.x, iris.y])
    assert sorted(map(tuple, both)) == sorted(map(tuple, whole))
    again = split(iris, 3)
    assert np.array_equal(again[0].x, train.x)
    assert np.array_equal(again[1].y, held.y)
    assert not np.array_equal(split(iris, 4)[1].x, held.x)
    assert (held.name, held.classes, held.features) == (iris.name, iris.classes, iris.features)


@pytest.mark.parametrize(("samples", "held_back"), [(9, 9), (10, 2), (14, 2), (15, 3)])
def test_of_fewer_than_ten_nothing_is_held_back(samples, held_back):
    x = np.arange(2 * samples).reshape(samples, 2) / (2 * samples)
    data = Dataset("made", x, x[:, :1], None, ("p", "q"), "this test")
    train, held = split(data, 0)
    assert len(held.x) == held_back
    assert len(train.x) == (samples if samples < 10 else samples - held_back)


def test_accuracy_of_classes_is_the_share_of_largest_outputs_in_the_right_place():
    y = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float64)
    y_hat = np.array([[0.1, 0.0, -2], [0.9, 0.2, 0.1], [7, 8, 9], [0.4, 0.4, 0.4]])
    assert accuracy(y_hat, y) == 0.75
    y_hat[2, 1] = np.nan
    assert accuracy(y_hat, y) == 0.5
    y_hat[2] = (0, 0, np.nan)  # numpy's argmax would call the NaN the largest
    assert accuracy(y_hat, y) == 0.5


def test_accuracy_of_one_output_is_by_the_threshold():
    xor = load("xor")
    assert accuracy(np.array([[0.5], [0.51], [0.4], [-3]]), xor.y) == 0.75
    assert accuracy(np.array([[np.nan], [1], [1], [0]]), xor.y) == 0.75
    assert accuracy(xor.y.astype(np.float32), xor.y) == 1.0


def test_a_regression_has_no_accuracy():
    y = np.array([[0.0], [0.25], [1.0]])
    assert accuracy(y, y) is None
    assert accuracy(np.ones((2, 2)), np.ones((2, 2))) is None  # 0/1 outputs, no classes
    with pytest.raises(ValueError, match=r"accuracy: shapes \(3, 1\) and \(1, 3\)"):
        accuracy(y, y.T)
    with pytest.raises(ValueError, match="accuracy"):
        accuracy(np.ones((0, 2)), np.ones((0, 2)))
