"""Numbers and words as the page says them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.text import escape_markdown, nats, number, percent, rounded, vector


@given(st.floats(-1e6, 1e6))
def test_numbers_keep_their_value_and_have_a_real_minus_sign(value: float) -> None:
    for text, places in ((number(value), 2), (nats(value).removesuffix(" nats"), 2), (rounded(value), 4)):
        assert "-" not in text
        assert float(text.replace("−", "-")) == pytest.approx(
            value, abs=0.6 * 10**-places, rel=1e-6 if places == 2 else 0.06
        )


@pytest.mark.parametrize(("value", "format_spec"), [(-0.0, "g"), (-1e-9, ".2f"), (-0.4, ".0f"), (-0.0, ".2g")])
def test_what_is_rounded_to_zero_has_no_sign(value: float, format_spec: str) -> None:
    assert number(value, format_spec).strip("0.") == ""
    assert number(value - 1, format_spec).startswith("−1")


def test_shares_and_coordinates() -> None:
    assert percent(0.12345) == "12.3 %"
    assert vector([1.0, -2.5]) == "(1, −2.5)"
    assert vector([1, 2, 3, 4, 5]) == "(1, 2, 3, 4, …)"
    assert vector([0.5, -0.25, 1], ".4f", shown=2) == "(0.5000, −0.2500, …)"


@given(st.text(alphabet="![](<>*`$|\\a: /"))
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    escaped = escape_markdown(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    # Nothing that begins a picture, a link, HTML, code or a formula is left as it is.
    assert not re.search(r"[\[\]<>*`$|]", re.sub(r"\\.", "", escaped))
