"""Pictures that many pages show, and that do not change: sent by address, so that browsers and a proxy keep them."""

from streamlit import runtime

__all__ = ["kept_picture"]


def kept_picture(picture: bytes, kind: str, place: str) -> str:
    """Return the address, below that of the page, at which the server has a picture; `pictures.js` fetches it.

    It is there as long as a session's last run asked for it, and named after its content.

    Args:
        picture: a file's content.
        kind: of it, as `image/png`.
        place: names it on the page; in the same place the next picture takes over.
    """
    # As `st.image` does it. Streamlit has no way to give a component a file.
    return runtime.get_instance().media_file_mgr.add(picture, kind, place)
