"""Files of predictions: whatever their form, the same counts; whatever their size, the same areas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.files import classification as scores_module
from exaid_evals.runs.files.predictions import Counted, count_predictions
from export.training_runs import GOLD

ORIGINAL = (GOLD / "digits" / "results_4" / "val_predictions.csv").read_text(encoding="utf-8")


def counted(tmp_path: Path, text: str | bytes) -> Counted:
    """Write a file and count it."""
    path = tmp_path / "val_predictions.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return count_predictions(path)


def essence(one: Counted) -> tuple[object, ...]:
    """Return what must not depend on the form of the file."""
    return one.classes, one.counts.tolist(), one.summary, one.area_ovr(scikit_learn=False)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(lambda text: text.replace(",", ";"), id="semicolons"),
        pytest.param(lambda text: text.replace(",", ";").replace(".", ","), id="semicolons and decimal commas"),
        pytest.param(lambda text: text.replace(",", "\t"), id="tabs"),
        pytest.param(lambda text: text.rstrip("\n"), id="no last newline"),
        pytest.param(lambda text: text.replace("\n", "\n\n"), id="empty lines"),
        pytest.param(lambda text: "sep=,\n" + text, id="Excel's first line"),
        pytest.param(
            lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()),
            id="quoted cells",
        ),
    ],
)
def test_the_form_of_the_file_changes_nothing(tmp_path: Path, form: object) -> None:
    """Delimiter, decimal mark, quotes, line ends and a byte order mark are not content."""
    assert essence(counted(tmp_path, form(ORIGINAL))) == essence(counted(tmp_path, ORIGINAL))  # type: ignore[operator]


def test_scores_on_disk_give_the_area_of_scores_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit scores lie in a file; the area is the same to the last bit."""
    in_memory = counted(tmp_path, ORIGINAL)
    monkeypatch.setattr(scores_module, "IN_MEMORY_BYTES", 10)
    on_disk = counted(tmp_path, ORIGINAL)
    assert on_disk._scores is not None
    assert on_disk._scores.spooled
    assert essence(on_disk) == essence(in_memory)
    on_disk.close()


def test_the_order_of_rows_changes_the_set_of_items_no_more_than_their_ids_do(tmp_path: Path) -> None:
    """Shuffled rows are of the same validation set; another id makes another set."""
    header, *rows = ORIGINAL.splitlines()
    shuffled = "\n".join([header, *reversed(rows)])
    assert counted(tmp_path, shuffled).summary.items == counted(tmp_path, ORIGINAL).summary.items
    assert (
        counted(tmp_path, ORIGINAL.replace("0316", "9316")).summary.items != counted(tmp_path, ORIGINAL).summary.items
    )


def test_whole_numbers_are_one_label_however_they_are_written(tmp_path: Path) -> None:
    """A data frame with a gap writes 1.0 for 1, and classes stand in the order of numbers."""
    result = counted(tmp_path, "true,pred\n1.0,1\n10,9.0\n2,2\n")
    assert result.classes == ["1", "2", "9", "10"]
    assert result.counts[0, 0] == 1


def test_two_classes_with_one_column_of_scores(tmp_path: Path) -> None:
    """The column is of the later class; by hand: of 4 pairs 3 are in order."""
    result = counted(tmp_path, "true,pred,score\nno,no,0.1\nno,yes,0.6\nyes,yes,0.5\nyes,yes,0.9\n")
    assert result.area_ovr(scikit_learn=False) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("true,pred,prob_a,prob_b\na,a,0.9,nan\nb,b,0.2,0.8\n", "1 scores are undefined"),
        ("true,pred,prob_x,prob_y\na,a,0.9,0.1\nb,b,0.2,0.8\n", "scores of x, y for classes a, b"),
        ("true,pred,prob_a,prob_b\na,a,0.9,0.1\na,b,0.2,0.8\n", "class b is that of none or all"),
        ("true,pred,score\na,a,1\nb,b,1\nc,c,1\n", "one column of scores for 3 classes"),
    ],
)
def test_an_area_that_cannot_be_is_none_with_the_reason(tmp_path: Path, text: str, warning: str) -> None:
    """Missing is not a half, and not zero."""
    result = counted(tmp_path, text)
    assert result.area_ovr(scikit_learn=False) is None
    assert any(warning in line for line in result.warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", r"val_predictions\.csv: is empty"),
        (b"true,pred\n", "holds no prediction"),
        (b"id,label_x,y\n1,2,3\n", r":1: has no column of the true label or predicted label"),
        (b"true,pred,prob_0,prob_1\n0,0,0.5\n", r":2: 3 cells, where the header has 4"),
        (b"true,pred\n0,0\n\n0,0,0\n", r":4: 3 cells"),
        (b"true,pred,prob_0,prob_1\n0,0,0.5,0.5\n1,1,many,0.1\n", r":3: 'many' is not a number"),
        (b"true,pred\n0,0\n,1\n", r":3: a row without a true or predicted label"),
        (b'true,pred\n"0,0\n1,1\n', r"not valid CSV"),
        (b"\xff\xfet\x00r\x00", "no column of the true label"),
        (b"true,pred\n\xe9,1\n", "is not UTF-8"),
    ],
)
def test_a_damaged_file_is_reported_with_its_line(tmp_path: Path, text: bytes, message: str) -> None:
    """Nothing is guessed of a file that was cut or mangled."""
    with pytest.raises(DataError, match=message):
        counted(tmp_path, text)


def test_a_column_that_is_a_duplicate_is_reported(tmp_path: Path) -> None:
    """The first is read, and the reader of the export learns of it."""
    result = counted(tmp_path, "true,pred,pred\n0,0,1\n1,1,0\n")
    assert result.counts.tolist() == [[1, 0], [0, 1]]
    assert result.warnings == ["the column 'pred' stands 2 times; the first is read"]


def test_many_blocks_are_counted_as_one(tmp_path: Path) -> None:
    """Over a mebibyte the file comes in pieces, cut anywhere within a line."""
    rows = 60_000
    lines = "".join(f"item-{n:07d},{n % 3},{n % 3 if n % 7 else 0},{n % 11 / 10:.4f}\n" for n in range(rows))
    result = counted(tmp_path, "id,true,pred,note\n" + lines)
    assert result.summary.n == rows
    truth = np.zeros((3, 3))
    for n in range(rows):
        truth[n % 3, n % 3 if n % 7 else 0] += 1
    assert result.counts.tolist() == truth.tolist()
