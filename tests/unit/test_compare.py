"""The verdicts of Compare: they are about the sentence, not only about which of two numbers is larger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.catalog import load, load_evaluation
from explorer.classes import DIGITS, Classes
from explorer.views.compare import Row, clear_difference, rows, verdict

ROWS = rows(Classes(DIGITS))
JUDGED = [row for row in ROWS if row.claims]


@given(st.sampled_from(JUDGED), st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 10))
def test_the_whole_is_what_its_parts_are(row: Row, ae: float, vae: float, error: float) -> None:
    whole, parts = verdict(row, {row.name: ae, f"{row.name}_error": error}, {row.name: vae})
    marks = {mark for mark, _ in parts}
    assert len(parts) == len(row.claims)
    assert (whole == "confirmed") == (marks == {"✓"})
    assert (whole == "half true") == (marks >= {"✓", "✗"})
    assert (whole == "contradicted") == ("✗" in marks and "✓" not in marks)
    assert (whole == "no clear difference") == (marks == {"≈"})


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 10))
def test_a_difference_is_clear_or_none(ae: float, vae: float, error: float) -> None:
    found = clear_difference("x", {"x": ae, "x_error": error}, {"x": vae})
    assert found in (0.0, vae - ae)
    assert found == 0 or abs(found) >= 2 * error


def row(name: str) -> Row:
    return next(each for each in ROWS if each.name == name)


@pytest.mark.parametrize(
    ("name", "ae", "vae", "whole", "marks"),
    [
        ("middle_sureness", 0.879, 0.919, "half true", "✓✗"),  # a classifier that sure sees a digit
        ("middle_sureness", 0.3, 0.95, "confirmed", "✓✓"),
        ("window_gaps", 0.994, 0.776, "half true", "✓✗"),  # most of the map is not few
        ("window_gaps", 0.0, 0.0, "half true", "✗✓"),
        ("prior_unread", 0.15, 0.15, "half true", "✓✗"),
        ("middle_held", 0.40, 0.25, "contradicted", "✗✗"),
        ("reconstruction", -118.46, -120.43, "confirmed", "✓"),
        ("reconstruction", -120.0, -120.01, "no clear difference", "≈"),
    ],
)
def test_verdicts_on_numbers_that_were_seen(name: str, ae: float, vae: float, whole: str, marks: str) -> None:
    found, parts = verdict(row(name), {name: ae}, {name: vae})
    assert found == whole
    assert "".join(mark for mark, _ in parts) == marks


def test_what_lies_within_two_errors_is_no_clear_difference() -> None:
    ae, vae = ({"overlap": share, "overlap_error": 0.018} for share in (0.275, 0.279))
    assert verdict(row("overlap"), ae, vae)[0] == "no clear difference"
    assert verdict(row("overlap"), ae, vae | {"overlap": 0.33})[0] == "confirmed"


def test_each_judged_row_is_measured_for_both_shipped_models() -> None:
    values = load_evaluation(load("mnist-2d")).values
    for each in JUDGED:
        if each.name not in ("overlap", "prior_unread"):  # derived from others
            assert all(each.name in numbers for numbers in values.values())
