"""Numbers and words as the page says them."""

from explorer.library import a_digit


def test_a_digit_has_its_article() -> None:
    assert [a_digit(digit) for digit in (1, 7, 8)] == ["a 1", "a 7", "an 8"]
