"""Pictures and what is to be said of them, in one element of fixed height: an answer never moves the page."""

from html import escape

import streamlit as st

__all__ = ["card", "film_rows", "film_strips", "markup", "picture"]


def picture(src: str, alt: str, *, name: str, caption: str = "") -> str:
    """Return one image as HTML.

    Args:
        src: a data URI: it arrives with the page, without a second request.
        alt: what the image shows, for those who do not see it.
        name: tells the images of a page apart, also when they are saved.
        caption: stands below it.
    """
    image = _image(src, alt, name)
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>" if caption else image


def card(pictures: list[str], title: str = "", *lines: str, kind: str) -> None:
    """Show images beside a title and lines of HTML; see `markup`."""
    st.html(markup(pictures, title, *lines, kind=kind))


def markup(pictures: list[str], title: str = "", *lines: str, kind: str) -> str:
    """Return the HTML of a card.

    Args:
        pictures: made by `picture`.
        title: plain text.
        lines: HTML.
        kind: its class in `page.css`: `pick` (one large image), `row` (small ones), `wall` (rows of five), `frame` (one
            that fills its place), `near`, `told`, `form` (the parts of Draw) or `posterior` (of Posterior).
    """
    text = f"<h5>{escape(title)}</h5>" + "".join(f"<p>{line}</p>" for line in lines if line) if title else ""
    shown = f'<div class="pictures">{"".join(pictures)}</div>' if pictures else ""
    return f'<div class="card {kind}">{shown}<div>{text}</div></div>'


def film_strips(strips: dict[str, tuple[str, str]], *, name: str = "film", frames: int, at: int) -> None:
    """Show film strips below each other, with the same frame marked on each.

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
            f"<div>{_image(src, alt, f'{name}-{label.lower()}')}{mark}</div></div>"
            for label, (src, alt) in strips.items()
        )
    )


def film_rows(shown: str, placeholder: str = "") -> None:
    """Show two rows of frames in one picture, with reserved space, so that the page does not shift.

    Args:
        shown: the picture, made by `picture`; empty: none yet.
        placeholder: the words that stand in its place.
    """
    st.html(f'<div class="film-rows">{shown or f"<p>{escape(placeholder)}</p>"}</div>')


def _image(src: str, alt: str, name: str) -> str:
    # With the keyboard's focus on it Enter saves it: see `save_picture`.
    about = f'alt="{escape(alt)}" tabindex="0" aria-keyshortcuts="Enter"'
    return f'<img data-name="{escape(name)}" src="{src}" {about}>'
