"""The components' modules are joined into one script each, so they share one scope."""

import re
from pathlib import Path

import pytest

from explorer import components
from explorer.components import latent_map
from explorer.components.scripts import script

FOLDER = Path(components.__file__).parent
SCRIPTS = {
    "overlay": [FOLDER / "latent_map" / name for name in latent_map._MODULES],
    "atlas": [FOLDER / "pictures.js", FOLDER / "latent_map" / "atlas.js"],
    "codes": [FOLDER / "pictures.js", FOLDER / "latent_map" / "codes.js"],
    "legend": [FOLDER / "latent_map" / name for name in ("plotly.js", "symbols.js", "legend.js")],
    "film": [
        *(FOLDER / "latent_map" / name for name in ("plotly.js", "marks.js", "symbols.js")),
        *(FOLDER / "film" / name for name in ("paint.js", "film.js")),
    ],
    "live": [
        *(FOLDER / "latent_map" / name for name in ("plotly.js", "symbols.js")),
        FOLDER / "film" / "paint.js",
        FOLDER / "live" / "live.js",
    ],
    "keeper": [FOLDER / "keeper" / "keeper.js"],
    "pad": [FOLDER / "pad" / "pad.js"],
    "wall": [FOLDER / "latent_map" / "plotly.js", FOLDER / "wall" / "wall.js"],
    "tool_bar": [FOLDER / "tool_bar" / "tool_bar.js"],
    "present": [FOLDER / "present" / "present.js"],
    "save_picture": [
        *(FOLDER / "latent_map" / name for name in ("plotly.js", "marks.js", "symbols.js")),
        *(FOLDER / "save_picture" / name for name in ("chart.js", "save_picture.js")),
    ],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_two_modules_of_a_script_define_the_same_name(name: str) -> None:
    text = script(*SCRIPTS[name])
    names = re.findall(r"^(?:async )?(?:const|let|class|function) (\w+)", text, flags=re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    assert "lifecycle" in names


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_one_module_with_one_default_export(name: str) -> None:
    text = script(*SCRIPTS[name])
    assert len(re.findall(r"^export default ", text, flags=re.MULTILINE)) == 1
    assert not re.findall(r"^(?:import|export (?!default)|\}? from) ", text, flags=re.MULTILINE)


def test_every_script_of_the_components_is_joined() -> None:
    joined = {path for modules in SCRIPTS.values() for path in modules}
    alone = {path for path in FOLDER.rglob("*.js") if path.name in ("mount.js", "lifecycle.js")}
    assert joined | alone == set(FOLDER.rglob("*.js"))
