"""Where other computers of the network find a server on this one."""

import ipaddress
import socket

import psutil

__all__ = ["addresses"]


def addresses() -> list[str]:
    """Return this computer's IPv4 addresses in the networks that it is connected to, the most useful first.

    Those that a router gave come before those that a computer on a bare switch gives itself (169.254...).
    """
    states = psutil.net_if_stats()
    found = [
        ipaddress.IPv4Address(each.address)
        for name, of_interface in psutil.net_if_addrs().items()
        if name in states and states[name].isup
        for each in of_interface
        if each.family == socket.AF_INET
    ]
    return [str(each) for each in sorted(found, key=lambda each: each.is_link_local) if not each.is_loopback]


if __name__ == "__main__":
    print("\n".join(addresses()) or "This computer is in no network.")
