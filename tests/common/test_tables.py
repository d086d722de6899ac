"""Rows and pandas' tables are the same files."""

import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.tables import read_rows, read_table, write_rows, write_table

# No file of a picture is called "a\rb": `collect` sees to it
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("0123456789abcdef", min_size=16, max_size=16),
            "name": TEXT,
            "count": st.integers(-(2**60), 2**60),
            "size": st.floats(allow_nan=False, allow_infinity=False),
        }
    ),
    min_size=1,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(ROWS)
def test_the_same_bytes_and_the_same_text(folder, rows):
    by_rows, by_pandas = folder / "rows.csv", folder / "pandas.csv"
    columns = list(rows[0])
    write_rows(by_rows, columns, rows)
    write_table(by_pandas, pd.DataFrame(rows, columns=columns))
    assert by_rows.read_bytes() == by_pandas.read_bytes()
    assert read_rows(by_rows) == read_table(by_rows).to_dict("records")
    assert [row["name"] for row in read_rows(by_rows)] == [row["name"] for row in rows]


def test_no_rows(folder):
    write_rows(folder / "none.csv", ["id", "label"], [])
    assert read_rows(folder / "none.csv") == []
    assert read_table(folder / "none.csv").columns.tolist() == ["id", "label"]


def test_numbers_are_written_alike_whatever_other_rows_have(folder):
    rows = [{"x": 120.0, "y": 0.123456789}, {"x": "", "y": ""}]
    write_rows(folder / "mixed.csv", ["x", "y"], rows)
    assert (folder / "mixed.csv").read_text() == "x,y\n120,0.123457\n,\n"


def test_a_column_that_a_row_lacks_is_a_bug_and_leaves_no_file(folder):
    with pytest.raises(KeyError):
        write_rows(folder / "bug.csv", ["id", "label"], [{"id": "a"}])
    assert not (folder / "bug.csv").exists()


@pytest.mark.parametrize("room", ["extract", "matte"])
def test_rooms_that_a_few_new_photos_start_stay_light(room):
    code = f"import sys, stages.{room}.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pandas", "scipy", "sklearn", "rembg", "onnxruntime", "tensorflow", "mlflow"}
    assert heavy.isdisjoint(done.stdout.split())
