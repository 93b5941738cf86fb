"""The address at which a class opens the app, to write on the board, and as a QR code for the present view."""

import io
import ipaddress
from collections.abc import Iterable, Mapping
from urllib.parse import SplitResult, urlencode, urlsplit

import streamlit as st

from explorer.addresses import Interface, network_addresses, own_interfaces
from explorer.text import escape_markdown

__all__ = ["class_addresses", "draw_invitation", "qr_code", "view_link"]

LONGEST_LINK = 400  # letters: a code of more is too fine for the last row
CODE_WIDTH = 440  # pixels
LOCAL_ONLY = (
    "The app listens on this computer only. To open it to a class, stop it (Ctrl-C), and start it so: "
    "`make app ADDRESS=0.0.0.0`, or without make: `streamlit run streamlit_app.py --server.address 0.0.0.0`"
)
NO_NETWORK = "This computer is in no network. Connect it to that of the class, and open this again."


def class_addresses(viewed: str, server_address: str | None, port: int, interfaces: Iterable[Interface]) -> list[str]:
    """Return the addresses at which a class may open the app, the likeliest first; none: it listens here only.

    Args:
        viewed: the address at which the page is open, as `http://localhost:8501/`.
        server_address: on which the server listens; None: on all of the computer's.
        port: on which the server listens. Another one in `viewed` is that of a proxy before it.
        interfaces: of this computer.
    """
    url = _parsed(viewed) or urlsplit(f"http://localhost:{port}/")
    if not _is_loopback(url.hostname or ""):
        return [url._replace(query="", fragment="").geturl()]
    all_of_them = ("", "0.0.0.0", "::")
    if (url.port or _default_port(url)) != port or (server_address or "") in all_of_them:
        hosts = network_addresses(interfaces)
    else:
        hosts = [] if _is_loopback(server_address or "") else [server_address or ""]
    place = f":{url.port}" if url.port else ""
    return [SplitResult(url.scheme, f"{_in_url(host)}{place}", url.path, "", "").geturl() for host in hosts]


def _parsed(address: str) -> SplitResult | None:
    """Return the parts of an address of a page; None for what is none: the browser names it."""
    try:
        url = urlsplit(address)
        return url if url.scheme in ("http", "https") and url.hostname and url.port != 0 else None
    except ValueError:
        return None


def _default_port(url: SplitResult) -> int:
    return 443 if url.scheme == "https" else 80


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def view_link(address: str, choices: Mapping[str, str]) -> str:
    """Return the link to a view; to the app alone, where the view's is too long for a code."""
    page = address if urlsplit(address).path else f"{address}/"
    link = f"{page}?{urlencode(choices)}" if choices else address
    return link if len(link) <= LONGEST_LINK else address


def qr_code(link: str) -> bytes:
    """Return a QR code as PNG: black on white, with the margin that readers need, whatever the page's theme."""
    import segno  # where it is needed: few open it

    png = io.BytesIO()
    segno.make(link, micro=False).save(png, kind="png", border=4, dark="black", light="white", scale=12)
    return png.getvalue()


def draw_invitation() -> None:
    """Draw the button that shows the address and its code."""
    if st.button("Open it to a class", icon=":material/qr_code_2:", help="The address for the board, and a QR code."):
        _show()


@st.dialog("For your class", width="medium")
def _show() -> None:
    port = int(st.get_option("server.port"))
    viewed = st.context.url or f"http://localhost:{port}/{st.get_option('server.baseUrlPath')}"
    server_address, interfaces = st.get_option("server.address"), own_interfaces()
    addresses = class_addresses(viewed, server_address, port, interfaces)
    if not addresses:
        st.info(LOCAL_ONLY if server_address else NO_NETWORK)
        return
    first, *others = addresses
    link = view_link(first, st.query_params.to_dict())
    st.markdown(f"## {escape_markdown(first)}")
    st.image(qr_code(link), width=CODE_WIDTH)
    if st.query_params and link == first:
        st.caption("The link to this view is too long for a code: it opens the app.")
    if others:
        st.caption(f"If it does not open: {escape_markdown(', '.join(others))}")
    st.caption("Everyone must be in the same network. The computer's firewall must let the port through.")
