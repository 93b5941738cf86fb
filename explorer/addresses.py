"""Where other computers of the network find a server on this one."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Interface", "network_addresses", "own_interfaces"]

# What only this computer reaches, or those in another network: containers, virtual machines, tunnels.
VIRTUAL: tuple[str, ...] = (
    "docker",
    "br-",
    "bridge",
    "veth",
    "virbr",
    "vmnet",
    "vbox",
    "vethernet",
    "podman",
    "cni",
    "flannel",
)
VIRTUAL += ("tun", "tap", "utun", "wg", "tailscale", "zt")


class Interface(NamedTuple):
    """A network interface of this computer, with one of its addresses."""

    name: str
    address: str  # IPv4 or any other
    is_up: bool


def network_addresses(interfaces: Iterable[Interface]) -> list[str]:
    """Return the IPv4 addresses at which others reach this computer, each once, the likeliest first.

    Addresses of virtual interfaces come last, and before them those that computers give themselves on a switch
    without a router.
    """
    found = []
    for name, address, is_up in interfaces:
        try:
            ip = ipaddress.IPv4Address(address)
        except ValueError:
            continue
        if is_up and not (ip.is_loopback or ip.is_unspecified or ip.is_multicast):
            found.append((name.lower().startswith(VIRTUAL), ip.is_link_local, str(ip)))
    return list(dict.fromkeys(address for *_, address in sorted(found, key=lambda each: each[:2])))


def own_interfaces() -> list[Interface]:
    """Return the network interfaces of this computer, one entry an address."""
    import psutil  # where it is needed: few ask

    is_up = {name: stats.isup for name, stats in psutil.net_if_stats().items()}
    return [
        Interface(name, each.address, is_up.get(name, False))
        for name, addresses in psutil.net_if_addrs().items()
        for each in addresses
    ]


if __name__ == "__main__":
    print("\n".join(network_addresses(own_interfaces())) or "This computer is in no network.")
