"""The components' modules are joined into one script each, so they share one scope."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from explorer import components
from explorer.components.scripts import JOINED, script

FOLDER = Path(components.__file__).parent
for module in iter_modules(components.__path__, f"{components.__name__}."):
    import_module(module.name)
SCRIPTS = {modules[-1].stem: modules for modules in JOINED}
DEFINITION = r"^(?:async )?(?:const|let|class|function)\*? (?:(\w+)|[\[{]([^\]}]+)[\]}])"


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_two_modules_of_a_script_define_the_same_name(name: str) -> None:
    text = script(*SCRIPTS[name])
    found = re.findall(DEFINITION, text, flags=re.MULTILINE)
    names = [one for single, several in found for one in re.findall(r"\w+", single or several)]
    assert sorted(names) == sorted(set(names))
    assert "lifecycle" in names


def test_names_that_are_defined_several_at_a_time_are_seen() -> None:
    lines = "const [GREY, RED] = [1, 2];\nconst {a, b} = c;\n  const inner = 1;\nfunction* f() {}\nlet g = 1;"
    assert re.findall(DEFINITION, lines, flags=re.MULTILINE) == [
        ("", "GREY, RED"),
        ("", "a, b"),
        ("f", ""),
        ("g", ""),
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_one_module_with_one_default_export(name: str) -> None:
    text = script(*SCRIPTS[name])
    assert len(re.findall(r"^export default ", text, flags=re.MULTILINE)) == 1
    assert not re.findall(r"^(?:import|export (?!default)|\}? from) ", text, flags=re.MULTILINE)


def test_every_script_of_the_components_is_joined() -> None:
    joined = {path for modules in SCRIPTS.values() for path in modules}
    alone = {path for path in FOLDER.rglob("*.js") if path.name in ("mount.js", "lifecycle.js")}
    assert joined | alone == set(FOLDER.rglob("*.js"))
