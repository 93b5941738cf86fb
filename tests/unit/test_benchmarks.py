"""A benchmark whose one part fails still says what the others measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import live, parts
from training.experiments import Experiment
from training.live import open_live


def test_a_part_that_fails_is_told_and_the_rest_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "failed", [])
    with parts.part("first"):
        print("first: 1 ms")
        raise AssertionError("the lens shows what it showed before\nand more")
    with parts.part("second"):
        print("second: 2 ms")
    assert capsys.readouterr().out.splitlines() == [
        "first: 1 ms",
        "first: FAILED (AssertionError: the lens shows what it showed before)",
        "second: 2 ms",
    ]
    assert parts.failed == ["first"]


def test_exit_status_is_one_when_a_part_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    from benchmarks import fitting

    def fail() -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr(parts, "failed", [])
    monkeypatch.setattr(fitting, "main", fail)
    monkeypatch.setattr("sys.argv", ["benchmarks", "fitting"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("benchmarks", run_name="__main__")
    assert ended.value.code == "Failed: fitting."


def test_a_fit_is_under_way_as_long_as_it_is_needed(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EXPERIMENT", replace(experiment, epochs=100_000))
    folder = tmp_path / experiment.name
    with live.fit_under_way(tmp_path):
        rates = live._rates(tmp_path)
        assert open_live(folder / "vae.safetensors")
    assert rates.keys() == {"autoencoder", "vae"}
    assert all(rate > 0 for rate in rates.values())
    assert not folder.exists()
