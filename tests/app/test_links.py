"""The names in the address: links that were copied years ago still open the same view."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from explorer import selection, stage
from explorer.choices import Choice
from explorer.views import explore, train
from explorer.views.curves import MOMENT
from explorer.views.reconstruct import PAGE
from tests.app.conftest import html
from tests.conftest import ROOT, TABS
from training.folders import CHECKPOINTS_VARIABLE, checkpoints_dir

NAMES = {
    *("experiment", "beta", "plane", "rightwards", "upwards", "codes", "reading", "tab"),
    *("face", "view", "n", "path", "ae_x", "ae_y", "vae_x", "vae_y", "digit"),
    *("from", "from_image", "to", "to_image", "frame"),
    *(f"move_{dimension}" for dimension in range(1, 33)),
    "dimensions",
    *("samples", "seed", "class", "fitted"),
    *("images", "rank"),
    *("subject", "belief_seed", "close_up"),
    *("x_axis", "log"),
    "step",
    *(
        "translate",
        "loss",
        "loss_of",
        "loss_per",
        "loss_kl",
        "loss_pixels",
        "loss_latent_dim",
        "loss_sigma",
        "loss_images",
    ),
    *("sweep", "sweep_colour"),
    *("data", "network", "widths", "latent_dim", "fit_beta", "warm_up", "epochs", "rate", "fit_seed"),
}
# What shows each of them at least once.
PAGES: tuple[dict[str, str], ...] = (
    *({"experiment": "digits-2d", "tab": tab} for tab in TABS),
    {"experiment": "mnist-2d", "tab": "Explore"},  # several betas, and a map with a crowd
    {"experiment": "digits-2d", "tab": "Reconstruct", "images": "worst test images"},
    {"experiment": "digits-2d", "tab": "Train", "network": "own"},
    {"experiment": "digits-2d", "tab": "Compare", "translate": "true", "loss_of": "squared", "loss_kl": "mean"},
    {"experiment": "mnist-32d", "tab": "Explore", "plane": "two dimensions"},
    *(
        {"experiment": "mnist-32d", "tab": "Traverse", "dimensions": f"{first} to {first + 7}"}
        for first in (1, 9, 17, 25)
    ),
)


def bound(block: Any) -> Iterator[str]:
    """The names in the address of the widgets and tabs of a page."""
    yield from re.findall(r'query_param_key: "([^"]*)"', str(getattr(block, "proto", "")))
    for child in getattr(block, "children", {}).values():
        yield from bound(child)


@pytest.fixture(scope="module")
def names() -> set[str]:
    """All that the pages bind."""
    import torch  # noqa: F401 - a page that waits for the first map shows less

    found: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CHECKPOINTS_VARIABLE, str(checkpoints_dir()))
        for choices in PAGES:
            app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
            for name, choice in choices.items():
                app.query_params[name] = choice
            app.run()
            assert not app.exception, choices
            found.update(bound(app._tree))
            if "kept" in app.session_state:  # choices that the page writes to the address itself
                found.update(app.session_state["kept"])
    return found


def test_names_in_the_address_are_these(names: set[str]) -> None:
    assert names == NAMES


def test_a_link_opens_the_same_view() -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    for name, choice in {"tab": "Interpolate", "from_image": "7", "frame": "3"}.items():
        app.query_params[name] = choice
    app.run()
    assert (app.number_input("from_image").value, app.slider("frame").value) == (7, 3)


@pytest.mark.parametrize("tab", ["Explore", "Beta"])
def test_a_link_holds_what_is_ringed(tab: str) -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    for name, choice in {"tab": tab, "digit": "7"}.items():
        app.query_params[name] = choice
    app.run()
    assert app.number_input("digit").value == 7
    assert "digit" in set(bound(app._tree))


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999", ""])
def test_what_is_no_number_is_left_out(number: str) -> None:
    for tab in ("Interpolate", "Generate"):
        app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
        app.query_params.update({"tab": tab} | dict.fromkeys(("n", "from_image", "seed", "frame", "samples"), number))
        app.run()
        assert not app.exception
        assert app.number_input("n").value == stage.GRID.default


def test_names_without_widgets_are_these() -> None:
    choices: tuple[Choice[Any], ...] = (
        MOMENT,
        PAGE,
        selection.PRESENT,
        selection.HIDE,
        *explore.DRAWN_PATHS.values(),
        train.FIT,
    )
    assert [choice.name for choice in choices] == ["moment", "page", "present", "hide", "ae_path", "vae_path", "fit"]


@pytest.mark.parametrize(
    ("text", "films"), [("0~0~1~1", 1), ("", 0), ("1~2~3", 0), ("1~2~nonsense~4", 0), ("nan~1~2~3", 0)]
)
def test_a_link_opens_with_its_path_and_without_a_damaged_one(text: str, films: int) -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    for name, choice in {"path": "true", "vae_path": text}.items():
        app.query_params[name] = choice
    app.run()
    assert not app.exception
    assert html(app).count('data-name="path-vae"') == films
