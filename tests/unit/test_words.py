"""The page's words are few: no sentence that it can show is longer than 20 words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MAX_WORDS = 20
SHOWN_BY_THE_PAGE = [
    ROOT / "streamlit_app.py",
    *sorted(file for file in (ROOT / "explorer").rglob("*") if file.suffix in (".py", ".js")),
    # Their errors stand on the page, too.
    *(ROOT / "training" / name for name in ("array_file.py", "checkpoint.py", "classifier.py", "sweep.py")),
]
FILLED_IN = "¤"  # stands for what an f-string or a template fills in: one word


@pytest.mark.parametrize("file", SHOWN_BY_THE_PAGE, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_sentence_is_long(file: Path) -> None:
    texts = _python_texts(file) if file.suffix == ".py" else _script_texts(file)
    long = [sentence for text in texts for sentence in _sentences(text) if len(_words(sentence)) > MAX_WORDS]
    assert not long, "\n".join(f"{len(_words(sentence))} words: {sentence}" for sentence in long)


def test_words_are_counted_as_they_are_read() -> None:
    text = "One *two* $three is$ `no word`: <b>four</b>, https://example.org/five – ¤. **Next?** 1.5 nats = ¤.¤ Last"
    counted = [len(_words(sentence)) for sentence in _sentences(text)]
    assert counted == [4, 1, 3, 2]


def _python_texts(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    # A docstring is an expression by itself. The parts of an f-string are no texts of their own.
    no_text = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    no_text |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED_IN for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in no_text:
            yield node.value


def _script_texts(file: Path) -> Iterator[str]:
    code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", file.read_text(), flags=re.DOTALL)
    code = re.sub(r'(["`])\s*\+\s*\1', "", code)  # a text on several lines
    for text in re.findall(r'"[^"\n]*"|`[^`]*`', code):
        yield re.sub(r"\$\{[^}]*\}", FILLED_IN, text[1:-1])


def _sentences(text: str) -> list[str]:
    text = re.sub(r"`[^`]*`|\$[^$]*\$|https?://\S+|<[^<>]*>", "", text)
    # It ends with a mark, with a paragraph, with a line of Markdown, or with an item of a list.
    return re.split(rf"(?<=[.!?])[*_)]*(?=[\s{FILLED_IN}])|\n\s*\n|  \n|\n\s*- ", text)


def _words(sentence: str) -> list[str]:
    return re.findall(r"\S*\w\S*|¤", sentence)
