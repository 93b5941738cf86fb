"""The study of latent sizes."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import CPU
from training.array_file import CheckpointError
from training.checkpoint import Checkpoint, checkpoint_path
from training.datasets import Data
from training.experiments import Experiment
from training.fit import as_dict
from training.objective import evaluate
from training.sweep import read_sweep, sweep


def test_study_fits_each_size_and_tells_what_it_reaches(tmp_path: Path, experiment: Experiment, digits: Data) -> None:
    small, path = replace(experiment, epochs=1), tmp_path / "latent-sizes.json"
    sizes = sweep(small, (2, 3), digits, tmp_path / "work", path, device=CPU)
    assert [size.latent_dim for size in sizes] == [2, 3]
    assert read_sweep(path) == sizes
    for size in sizes:
        vae = Checkpoint(checkpoint_path(tmp_path / "work" / f"digits-{size.latent_dim}d", "vae"))
        assert vae.experiment == replace(small, name=f"digits-{size.latent_dim}d", latent_dim=size.latent_dim)
        assert size.test["vae"] == vae.test
        assert size.training["vae"] == pytest.approx(as_dict(evaluate(vae.load_network(), digits.train)))
        assert sum(size.kl_of_dimensions) == pytest.approx(size.test["vae"]["kl"], rel=0.1)  # of grey, not drawn images
    before = vae.path.stat().st_mtime_ns
    sweep(small, (2, 3), digits, tmp_path / "work", path, device=CPU)
    assert vae.path.stat().st_mtime_ns == before  # what is fitted is left alone


@pytest.mark.parametrize("content", ["", "[]", '{"sizes": [{"latent_dim": 2}]}', '{"sizes": 3}'])
def test_damaged_numbers_are_told(content: str, tmp_path: Path) -> None:
    path = tmp_path / "latent-sizes.json"
    with pytest.raises(CheckpointError, match="is missing; restore it, or compute it: python -m training study"):
        read_sweep(path)
    path.write_text(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_sweep(path)
