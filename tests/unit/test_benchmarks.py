"""A benchmark whose one part fails still says what the others measured."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import live, parts, sizes
from training.array_file import write_atomically
from training.checkpoint import MODEL_NAMES, checkpoint_path
from training.experiments import Experiment
from training.live import live_path, open_live


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
        assert all(open_live(folder / f"{model_name}.safetensors") for model_name in MODEL_NAMES)
    assert not folder.exists()


def test_pictures_are_counted_until_the_first_epoch_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0, looks=0)
    every = {"autoencoder": 20, "vae": 50}  # looks, of a hundredth of a second each, from one picture to the next
    folder = tmp_path / live.EXPERIMENT.name
    folder.mkdir()

    def sleep(seconds: float) -> None:
        for model_name, looks in every.items():
            path = live_path(checkpoint_path(folder, model_name))
            if clock.looks % looks == 0:
                write_atomically(path, b"")
            path.touch()  # the heartbeat, which is no picture
        clock.looks += 1
        clock.now += seconds

    monkeypatch.setattr(live, "time", SimpleNamespace(sleep=sleep, perf_counter=lambda: clock.now))
    monkeypatch.setattr(live, "open_live", lambda path: SimpleNamespace(epoch=clock.now / 2))
    assert live._rates(tmp_path) == pytest.approx({"autoencoder": 5.0, "vae": 2.0})


def test_a_class_is_summed_up_in_a_row_of_the_table() -> None:
    row = sizes.Row(sessions=42, replicas=2, seconds=10.0, times=[each / 1000 for each in range(1, 201)])
    row.failures, row.cpu, row.memory_before, row.memory = ["late"], 3.0, 1000.0, 1100.0
    head, rule, line = sizes.markdown([row])
    told = dict(zip(*([each.strip() for each in text.strip("|").split("|")] for text in (head, line)), strict=True))
    assert rule.count("---") == len(told)
    assert (
        told
        | {
            "sessions": "42",
            "replicas": "2",
            "median": "100 ms",
            "95th percentile": "190 ms",
            "answers a second": "20",
            "failures": "1",
            "CPU an answer": "15.0 ms",
            "memory": "1100 MiB",
            "a session": "2.5 MiB",  # the first of each replica came before
        }
        == told
    )
    assert sizes.Row(40, 1, 10.0).quantile(0.5) == float("inf")
