"""Numbers and words as the page says them. Values in, text out."""

import re

__all__ = ["escape_markdown"]


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is. What comes from a file must not become a link, or load a picture."""
    return re.sub(r"([\\`*\[\]<>$|])", r"\\\1", text)
