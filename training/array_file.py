"""Files of plain arrays with settings, behind a JSON header: safetensors. Opening one never runs code."""

import hashlib
import json
import math
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

__all__ = [
    "Array",
    "ArrayFile",
    "CheckpointError",
    "MissingError",
    "file_digest",
    "file_version",
    "finite",
    "write_arrays",
    "write_atomically",
]

Array = NDArray[Any]


class CheckpointError(Exception):
    """A file that cannot be used; the message is one sentence that names the file and says what to do."""


class MissingError(CheckpointError):
    """There is no such file."""


class ArrayFile:
    """A file of arrays, opened; arrays are read when asked for.

    Args:
        path: the file.
        expected_format: the `format` that its settings must have.
        verb: what makes such a file: `fit` or `measure`.
        command: the command that makes this one.
        at_once: read all arrays now, for the file is replaced all the time.

    Raises:
        CheckpointError: missing, truncated, foreign, of another version.
    """

    def __init__(self, path: Path, *, expected_format: int, verb: str, command: str, at_once: bool = False) -> None:
        self.path, self._verb, self._command = path, verb, command
        self.version = file_version(path)  # a file that is replaced later is another one
        if not self.version:
            if os.access(path.parent, os.F_OK) and not os.access(path.parent, os.X_OK):
                raise CheckpointError(f"{path} may not be read; allow it, or name another folder")
            raise MissingError(f"{path} is missing; restore it, or {verb} it: {command}")
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
                self._found = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
                self._arrays = {name: file.get_tensor(name) for name in slices} if at_once else None
        except (SafetensorError, OSError) as error:
            raise self.defect_error(f"is no safetensors file, or is cut short ({error})") from error
        try:
            self.settings = json.loads(metadata["settings"])
            json.dumps(self.settings, ensure_ascii=False).encode()  # escaped, there may be halves of characters
            version = self.settings["format"]
        except (KeyError, ValueError, TypeError, RecursionError) as error:
            made_by = " ".join(command.split()[:4])  # python -m training fit
            raise self.defect_error(f"was not written by `{made_by}`: it has no settings") from error
        if version != expected_format:
            raise self.defect_error(f"has format {version!r:.40}, this program reads format {expected_format}")

    def defect_error(self, what: str) -> CheckpointError:
        """Return the error that says what is wrong with the file, and what to do."""
        return CheckpointError(f"{self.path} {what}; restore it, or {self._verb} it again: {self._command}")

    def replaced_error(self) -> CheckpointError:
        """Return the error that says that the file is no longer the one that was opened."""
        return CheckpointError(f"{self.path} was replaced or removed while it was in use; reload the page")

    def has(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return name in self._found

    def rows(self, name: str, *, at_least: int = 1) -> int:
        """Return the length of an array, which must not be too short."""
        _, shape = self._found.get(name, ("", ()))
        if not shape or shape[0] < at_least:
            raise self.defect_error(f"lacks the array {name}, or has fewer than {at_least} rows of it")
        return shape[0]

    def expect(self, group: str, expected: dict[str, tuple[str, tuple[int, ...]]]) -> None:
        """Check that a group, `GROUP.*`, holds just these arrays: by name their safetensors dtype and shape.

        Without a name the group is the whole file.
        """
        prefix = f"{group}." if group else ""
        found = {n.removeprefix(prefix): v for n, v in self._found.items() if n.startswith(prefix)}
        for name in sorted(expected.keys() | found.keys()):
            if name not in found:
                raise self.defect_error(f"lacks the array {prefix}{name}")
            if name not in expected:
                raise self.defect_error(f"has an array that does not belong there: {prefix}{name}")
            if found[name] != expected[name]:
                (dtype, shape), (want, wanted) = found[name], expected[name]
                raise self.defect_error(f"has {prefix}{name} as {dtype} {shape}, expected {want} {wanted}")

    def expect_groups(self, *groups: str) -> None:
        """Check that there are no arrays but those of some groups."""
        prefixes = tuple(f"{group}." for group in groups)
        if foreign := sorted(name for name in self._found if not name.startswith(prefixes)):
            raise self.defect_error(f"has arrays that do not belong there: {', '.join(foreign[:3]):.100}")

    def group(self, group: str) -> dict[str, Array]:
        """Read the arrays of a group, by what follows `GROUP.`; all their values are finite."""
        prefix = f"{group}." if group else ""
        arrays = self._read([name for name in self._found if name.startswith(prefix)])
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise self.defect_error(f"has values in {name} that are not finite numbers")
        return {name.removeprefix(prefix): array for name, array in arrays.items()}

    def _read(self, names: list[str]) -> dict[str, Array]:
        if self._arrays is not None:
            return {name: self._arrays[name] for name in names}
        try:
            with safe_open(self.path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise self.replaced_error() from error
        if file_version(self.path) != self.version:
            raise self.replaced_error()
        return arrays


def file_version(path: Path) -> int:
    """Return when a file was last written, in nanoseconds; 0 if it is not there or may not be looked at."""
    try:
        return path.stat().st_mtime_ns if path.is_file() else 0
    except OSError:
        return 0


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file: what was computed of it holds for no other.

    Raises:
        OSError: it cannot be read.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finite(value: Any) -> float:
    """Convert a value of the settings to a finite float.

    Raises:
        ValueError: it is not finite, or a text that is no number.
        TypeError: it is no number.
    """
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a finite number")
    return number


def write_arrays(
    path: Path, arrays: dict[str, Array], settings: dict[str, Any], *, make_folder: bool = True, to_disk: bool = True
) -> None:
    """Write a file that `ArrayFile` reads; `settings` must hold its `format`. Else as `write_atomically`."""
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    content = save(contiguous, metadata={"settings": json.dumps(settings)})
    write_atomically(path, content, make_folder=make_folder, to_disk=to_disk)


def write_atomically(path: Path, content: bytes, *, make_folder: bool = True, to_disk: bool = True) -> None:
    """Write under a temporary name, flush to the disk, move into place; of several at once the last one stands.

    Args:
        path: the file.
        content: all of it.
        make_folder: make its folder, if that is not there; else one that was deleted stays away.
        to_disk: wait until the disk has it, so that it outlives a power cut; a reader sees it whole either way.

    Raises:
        OSError: no room, no permission, no folder; what stood at `path` is unharmed and nothing is left beside it.
    """
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")  # its own: others may write the same file
    try:
        with temporary.open("xb") as file:
            file.write(content)
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
