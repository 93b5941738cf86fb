"""What one test file may count on: conftests, no other test file; and in this folder no browser."""

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

TESTS = ROOT / "tests"


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere; of what is imported from a package, also as modules of it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files(modules: set[str]) -> set[Path]:
    """Those of this project."""
    places = [ROOT / module.replace(".", "/") for module in modules]
    return {path for place in places for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()}


def test_no_test_file_imports_another() -> None:
    tests = sorted(TESTS.rglob("test_*.py"))
    assert len(tests) > 50
    for test in tests:
        assert not [path for path in files(imported(test)) if path.name.startswith("test_")], test


def test_tests_of_this_folder_need_no_browser() -> None:
    waiting = {TESTS / "conftest.py", *(TESTS / "unit").glob("*.py")}
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        assert not [module for module in imported(path) if module.split(".")[0] == "playwright"], path
        waiting |= files(imported(path)) - seen
    assert ROOT / "explorer" / "models.py" in seen


@pytest.mark.parametrize("package", ["explorer", "training"])
def test_the_readme_says_where_each_module_is(package: str) -> None:
    listing = (ROOT / "README.md").read_text().split("## Where things are")[1].split("```")[1]
    part = re.split(r"\n(?=\w+/ )", listing)
    (own,) = [text for text in part if text.startswith(f"{package}/")]
    modules = [path.stem for path in (ROOT / package).glob("*.py") if not path.stem.startswith("__")]
    assert [module for module in modules if not re.search(rf"\b{module}\b", own)] == []
