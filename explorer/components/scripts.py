"""The JavaScript of the components: modules, handed to Streamlit as one script each."""

import re
from pathlib import Path

__all__ = ["JOINED", "script"]

JOINED: list[tuple[Path, ...]] = []  # the modules of each script, as they are looked at by tests
_LIFECYCLE = Path(__file__).parent / "lifecycle.js"


def script(*modules: Path) -> str:
    """Join modules into the one script that a component takes, after `lifecycle.js`.

    They share one scope: no two of them may define the same top-level name. An `import` stands on one line, and only
    the last module has a default export.

    Args:
        modules: in the order of what they need at the top level.
    """
    JOINED.append(modules)
    text = "\n".join(path.read_text() for path in (_LIFECYCLE, *modules))
    return re.sub(r"^(import .*|export (?!default))", "", text, flags=re.MULTILINE)
