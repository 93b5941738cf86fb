"""Pictures and what is to be said of them, in one element of fixed height: an answer never moves the page."""

from html import escape
from pathlib import Path

import streamlit as st

__all__ = ["card", "films", "markup", "picture", "reel", "style"]


def style() -> None:
    """The page's style sheet; once a page."""
    st.html(Path(__file__).parent / "card.css")


def picture(address: str, alternative: str, *, name: str, caption: str = "") -> str:
    """One image as HTML.

    Args:
        address: a data URI: it arrives with the page, without a second request.
        alternative: what the image shows, for those who do not see it.
        name: tells the images of a page apart, also when they are saved.
        caption: stands below it.
    """
    image = _image(address, alternative, name)
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>" if caption else image


def card(pictures: list[str], title: str = "", *lines: str, kind: str) -> None:
    """Images beside a title and lines of HTML; see `markup`."""
    st.html(markup(pictures, title, *lines, kind=kind))


def markup(pictures: list[str], title: str = "", *lines: str, kind: str) -> str:
    """The HTML of a card.

    Args:
        pictures: made by `picture`.
        title: plain text.
        lines: HTML.
        kind: `pick` (one large image), `row` (small ones), `wall` (rows of five) or `frame` (one that fills its place).
    """
    text = f"<h5>{escape(title)}</h5>" + "".join(f"<p>{line}</p>" for line in lines if line) if title else ""
    shown = f'<div class="pictures">{"".join(pictures)}</div>' if pictures else ""
    return f'<div class="card {kind}">{shown}<div>{text}</div></div>'


def films(strips: dict[str, tuple[str, str]], *, name: str = "film", frames: int, at: int) -> None:
    """Film strips below each other, with the same frame marked on each.

    Args:
        strips: by label, which stands before it: a data URI of the frames side by side, and what it shows.
        name: with the label, tells the strips of a page apart.
        frames: how many each has.
        at: the marked one.
    """
    mark = f'<i style="left:{100 * at / frames:.4f}%;width:{100 / frames:.4f}%"></i>'
    st.html(
        "".join(
            f'<div class="film"><b>{escape(label)}</b>'
            f"<div>{_image(address, alternative, f'{name}-{label.lower()}')}{mark}</div></div>"
            for label, (address, alternative) in strips.items()
        )
    )


def reel(shown: str, otherwise: str = "") -> None:
    """Two rows of frames in one picture, in a place that is there before the picture is.

    Args:
        shown: the picture, made by `picture`; empty: none yet.
        otherwise: the words that stand in its place.
    """
    st.html(f'<div class="reel">{shown or f"<p>{escape(otherwise)}</p>"}</div>')


def _image(address: str, alternative: str, name: str) -> str:
    # With the keyboard's focus on it Enter saves it: see `save_picture`.
    about = f'alt="{escape(alternative)}" tabindex="0" aria-keyshortcuts="Enter"'
    return f'<img data-name="{escape(name)}" src="{address}" {about}>'
