"""What classes are called."""

import math

import pytest

from explorer.classes import DIGITS, Classes
from explorer.text import escape_markdown
from explorer.views.compare import even_entropy, rows
from training.datasets import CLASSES


def test_a_digit_has_its_article() -> None:
    digits = Classes(DIGITS)
    assert [digits.called(label) for label in (1, 7, 8)] == ["a 1", "a 7", "an 8"]
    assert digits.of(8) == "an 8"
    assert (digits.noun, digits.nouns, digits.all_equally) == ("digit", "digits", "all ten")


def test_the_data_sets_of_digits_are_known_as_such() -> None:
    assert [name for name, classes in CLASSES.items() if Classes(classes).are_digits] == ["mnist", "digits"]


def test_other_classes_have_their_names() -> None:
    clothes = Classes(("T-shirt/top", "Ankle boot", "a name that is too long", "  two\nlines ", ""))
    assert clothes.called(1) == "class Ankle boot"
    assert clothes.of(0) == "of class T-shirt/top"
    assert clothes.names[2:] == ("a name that is too long", "two lines", "number 4")
    assert clothes.short_names[2] == "a name that…"
    assert (clothes.noun, clothes.all_equally, clothes.fit_labels) == ("class", "all 5", False)
    assert Classes(("お", "き")).fit_labels


@pytest.mark.parametrize("name", ["![x](http://example.org/x.png)", "<img src=x>", "*a* _b_ __c__ ~~d~~", "a|b", "$x$"])
def test_a_name_is_no_markup(name: str) -> None:
    escaped = escape_markdown(Classes((name,)).called(0))
    assert escaped.replace("\\", "") == f"class {name}"
    for mark in "[]<>*~|$`":
        assert escaped.count(mark) == escaped.count("\\" + mark)


def test_an_underscore_within_a_word_is_left() -> None:
    assert escape_markdown("my_own_names") == "my_own_names"
    assert escape_markdown("__c__ _d") == r"\_\_c\_\_ \_d"


@pytest.mark.parametrize("number", [1, 2, 26])
def test_compare_is_of_any_number_of_classes(number: int) -> None:
    classes = Classes(tuple(f"c{label}" for label in range(number)))
    assert even_entropy(classes) == pytest.approx(math.log(max(number - 1, 1)))
    words = " ".join(text for row in rows(classes) for text in (row.title, row.meaning, *(c.text for c in row.claims)))
    assert "digit" not in words
    assert f"all {number} are equal" in words
