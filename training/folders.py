"""Where images and checkpoints are kept, unless a command says otherwise."""

import os
from pathlib import Path

__all__ = ["CHECKPOINTS_VARIABLE", "DATA_VARIABLE", "checkpoints_dir", "data_dir"]

DATA_VARIABLE = "LATENT_DATA_DIR"
CHECKPOINTS_VARIABLE = "LATENT_CHECKPOINTS"

_PROJECT = Path(__file__).parent.parent


def data_dir() -> Path:
    """Return `$LATENT_DATA_DIR`, or `data/` in the project."""
    return Path(os.environ.get(DATA_VARIABLE) or _PROJECT / "data")


def checkpoints_dir() -> Path:
    """Return `$LATENT_CHECKPOINTS`, or `checkpoints/` in the project."""
    return Path(os.environ.get(CHECKPOINTS_VARIABLE) or _PROJECT / "checkpoints")
