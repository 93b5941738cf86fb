"""The address for the board: one that others reach, of whatever networks the computer is in."""

import io
import ipaddress
from urllib.parse import parse_qs, urlsplit

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer import addresses
from explorer.addresses import VIRTUAL, Interface, network_addresses
from explorer.invitation import LONGEST_LINK, class_addresses, qr_code, view_link

NAMES = st.sampled_from(
    ["eth0", "wlan0", "enp3s0", "Wi-Fi", "Ethernet 2", "lo", *VIRTUAL, "docker0", "vEthernet (WSL)"]
)
OTHERS = st.sampled_from(["127.0.0.1", "127.8.0.1", "0.0.0.0", "fe80::1%eth0", "::1", "", "00:1a:2b:3c:4d:5e"])
HOSTS = st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="169.254.0.0/16")
INTERFACES = st.lists(st.builds(Interface, NAMES, HOSTS.map(str) | OTHERS, st.booleans()), max_size=8)


@given(INTERFACES)
def test_each_address_is_one_at_which_others_reach_the_computer(interfaces: list[Interface]) -> None:
    found = network_addresses(interfaces)
    assert len(found) == len(set(found))
    up = {each.address for each in interfaces if each.is_up}
    is_local = {
        text: ipaddress.ip_address(text.split("%")[0]).is_loopback for text in up if text[:1].isdigit() and "." in text
    }
    assert set(found) == {text for text, local in is_local.items() if not local and text != "0.0.0.0"}


@given(INTERFACES)
def test_the_likeliest_comes_first(interfaces: list[Interface]) -> None:
    def rank(address: str) -> tuple[bool, bool]:
        names = [each.name.lower() for each in interfaces if each.address == address and each.is_up]
        return all(name.startswith(VIRTUAL) for name in names), ipaddress.ip_address(address).is_link_local

    ranks = [rank(address) for address in network_addresses(interfaces)]
    assert ranks == sorted(ranks)


LAN = [
    Interface("docker0", "172.17.0.1", True),
    Interface("lo", "127.0.0.1", True),
    Interface("eth0", "10.1.2.3", True),
]


@pytest.mark.parametrize(
    ("viewed", "server_address", "expected"),
    [
        ("http://localhost:8501/", None, ["http://10.1.2.3:8501/", "http://172.17.0.1:8501/"]),
        (
            "http://127.0.0.1:8501/latent/",
            "0.0.0.0",
            ["http://10.1.2.3:8501/latent/", "http://172.17.0.1:8501/latent/"],
        ),
        ("http://[::1]:8501/", "::", ["http://10.1.2.3:8501/", "http://172.17.0.1:8501/"]),
        ("http://localhost:8501/", "localhost", []),
        ("http://app.localhost:8501/", "127.0.0.1", []),
        ("http://localhost:8501/", "10.9.9.9", ["http://10.9.9.9:8501/"]),
        ("http://localhost:8501/", "fd00::7", ["http://[fd00::7]:8501/"]),
        # A proxy of this computer, before servers that listen on it only.
        ("http://localhost:8080/", "localhost", ["http://10.1.2.3:8080/", "http://172.17.0.1:8080/"]),
        ("https://localhost/", "localhost", ["https://10.1.2.3/", "https://172.17.0.1/"]),
        # Whoever opened it under another name knows a better one than the computer does.
        ("https://latent.school.example/digits/?tab=Draw", "localhost", ["https://latent.school.example/digits/"]),
        ("http://10.1.2.3:8501/", "0.0.0.0", ["http://10.1.2.3:8501/"]),
        # A browser may say anything.
        ("http://localhost:99999/", None, ["http://10.1.2.3:8501/", "http://172.17.0.1:8501/"]),
        ("http://[/", "localhost", []),
        ("javascript:alert(1)", "localhost", []),
        ("", "localhost", []),
    ],
)
def test_the_class_is_told_an_address_that_works(viewed: str, server_address: str | None, expected: list[str]) -> None:
    assert class_addresses(viewed, server_address, 8501, LAN) == expected


@given(st.text() | st.builds("http://localhost:{}/{}".format, st.integers(), st.text()), INTERFACES)
def test_whatever_the_browser_says_nothing_raises(viewed: str, interfaces: list[Interface]) -> None:
    for address in class_addresses(viewed, None, 8501, interfaces):
        assert urlsplit(address).scheme in ("http", "https")


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=6))
def test_a_link_opens_the_view_or_at_least_the_app(choices: dict[str, str]) -> None:
    link = view_link("http://10.1.2.3:8501/", choices)
    assert len(link) <= LONGEST_LINK
    assert link.startswith("http://10.1.2.3:8501/")
    if "?" in link:
        assert parse_qs(urlsplit(link).query, strict_parsing=True) == {name: [text] for name, text in choices.items()}


def test_this_computer_is_in_no_network_without_interfaces_and_has_its_own_loopback() -> None:
    assert network_addresses([]) == []
    assert "127.0.0.1" in {each.address for each in addresses.own_interfaces()}


@pytest.mark.parametrize("link", ["http://10.1.2.3:8501/", "http://10.1.2.3:8501/?" + "x" * (LONGEST_LINK - 22)])
def test_a_code_is_read_as_its_link_and_brings_its_own_margin(link: str) -> None:
    code = Image.open(io.BytesIO(qr_code(link))).convert("L")
    on_dark = Image.new("L", (code.width + 100, code.height + 100), 16)
    on_dark.paste(code, (50, 50))
    for picture in (code, on_dark):
        assert [each.text for each in zxingcpp.read_barcodes(picture)] == [link]
    assert code.getextrema() == (0, 255)
    assert code.crop((0, 0, code.width, 48)).getextrema() == (255, 255)  # four modules
