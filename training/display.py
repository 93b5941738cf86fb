"""What a fit shows of itself while it goes on: lines, and a bar for each model."""

from typing import Never, Protocol

from tqdm import tqdm

__all__ = ["Display", "Silent", "Terminal"]


class Display(Protocol):
    """Where fits say how far they are."""

    def say(self, line: str) -> None:
        """Show a line that stays."""

    def advance(self, model_name: str, update: int, total: int, terms: str) -> None:
        """Show that a model has taken `update` of `total` weight updates, and its `terms` in nats."""

    def end(self, model_name: str) -> None:
        """Take a model's bar for finished."""


class Terminal:
    """Bars on the terminal, one below the other, and lines above them.

    In a file there are no bars: they would be a line a moment.
    """

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Never]] = {}

    def say(self, line: str) -> None:
        """Write a line above the bars."""
        tqdm.write(line)

    def advance(self, model_name: str, update: int, total: int, terms: str) -> None:
        """Move a model's bar; the first call draws it."""
        if model_name not in self._bars:
            self._bars[model_name] = tqdm(
                initial=update, total=total, unit="update", desc=model_name, dynamic_ncols=True, disable=None
            )
        bar = self._bars[model_name]
        bar.set_postfix_str(terms, refresh=False)
        bar.update(update - bar.n)

    def end(self, model_name: str) -> None:
        """Leave a model's bar as it is."""
        if bar := self._bars.pop(model_name, None):
            bar.close()


class Silent:
    """A display that shows nothing."""

    def say(self, line: str) -> None:
        """Say nothing."""

    def advance(self, model_name: str, update: int, total: int, terms: str) -> None:
        """Show nothing."""

    def end(self, model_name: str) -> None:
        """Show nothing."""
