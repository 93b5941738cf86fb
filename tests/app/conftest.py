"""What the tests of the page without a browser share: Streamlit's `AppTest`, and what it shows."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import atlas
from tests.conftest import ROOT
from training.checkpoint import Checkpoint, checkpoint_path
from training.experiments import Experiment
from training.folders import CHECKPOINTS_VARIABLE, DATA_VARIABLE


@pytest.fixture(scope="package", autouse=True)
def coarse_atlases() -> Iterator[None]:
    """Only a browser looks into the atlases of a page, and making them takes longer than all else that it does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atlas, "SIDES", (8,))
        yield


@pytest.fixture
def app(request: pytest.FixtureRequest, fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page on `checkpoints`, where a test asks for them to spoil them, or on `fitted`: what is computed of those
    is computed once."""
    spoils = "checkpoints" in request.fixturenames
    monkeypatch.setenv("LATENT_CHECKPOINTS", str(request.getfixturevalue("checkpoints") if spoils else fitted))
    monkeypatch.setenv("LATENT_DATA_DIR", str(tmp_path / "no-data"))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def html(app: AppTest) -> str:
    """What stands on the page as HTML, the answers of the overlays included."""
    answers = [json.loads(element.proto.json or "{}").get("answer", "") for element in app.main.get("bidi_component")]
    return "".join(answers + [element.proto.body for element in app.main.get("html")])


def shown(app: AppTest, name: str) -> np.ndarray:
    """The picture of that name, pixels in [0, 1]."""
    address = re.search(rf'data-name="{name}" src="data:image/png;base64,([^"]+)"', html(app))
    assert address, name
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address[1])))) / 255


def decode(checkpoints: Path, experiment: Experiment, model: str, point: tuple[float, float]) -> np.ndarray:
    network = Checkpoint(checkpoint_path(checkpoints / experiment.name, model)).load_network()
    return network.decode(torch.tensor([point])).sigmoid()[0].numpy()


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page on the shipped models and images."""
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(ROOT / "checkpoints"))
    monkeypatch.setenv(DATA_VARIABLE, str(ROOT / "data"))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
