"""Numbers and words as the page says them. Values in, text out."""

import re
from collections.abc import Iterable

__all__ = ["duration", "escape_markdown", "nats", "number", "percent", "rounded", "vector"]


def number(value: float, format_spec: str = ".2f") -> str:
    """Format a number, with a real minus sign, at which no line is broken; what is rounded to 0 has none."""
    text = f"{value:{format_spec}}"
    return re.sub(r"^-(?=[0.]+$)", "", text).replace("-", "−")


def rounded(value: float) -> str:
    """Format a number with two decimals, with four where it is smaller than a tenth."""
    return number(value, ".2f" if abs(value) >= 0.1 else ".4f")


def nats(value: float, format_spec: str = ".2f") -> str:
    """Format a number of nats with its unit."""
    return f"{number(value, format_spec)} nats"


def percent(share: float, decimals: int = 1) -> str:
    """Format a share, 1 is all, in percent."""
    return f"{number(100 * share, f'.{decimals}f')} %"


def duration(seconds: float) -> str:
    """Format a time, in seconds or minutes."""
    return f"{number(seconds, '.0f')} s" if seconds < 90 else f"{number(seconds / 60, '.0f')} min"


def vector(values: Iterable[float], format_spec: str = ".3g", shown: int = 4) -> str:
    """Format coordinates, the first few of them, as `(1, −2.5, …)`."""
    coordinates = list(values)
    text = ", ".join(number(value, format_spec) for value in coordinates[:shown])
    return f"({text}{', …' if len(coordinates) > shown else ''})"


def escape_markdown(text: str) -> str:
    """Escape text for Markdown. What comes from a file must not become a link, or load a picture."""
    # An underscore within a word is one; elsewhere it may begin or end what is emphasised.
    return re.sub(r"([\\`*\[\]<>$|~]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", text)
