"""Parts of a benchmark: one that fails says so, and the others go on."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["failed", "part"]

failed: list[str] = []  # the names of the parts that did


@contextmanager
def part(name: str) -> Iterator[None]:
    """Measure something; a failure is printed and counted. Figures are printed as soon as they are there."""
    try:
        yield
    except Exception as error:  # whatever it is, it must not take with it what others measure
        failed.append(name)
        print(f"{name}: FAILED ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'})")
