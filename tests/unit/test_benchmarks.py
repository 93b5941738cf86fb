"""A benchmark whose one part fails still says what the others measured."""

import pytest

from benchmarks import parts


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
