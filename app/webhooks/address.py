"""Where webhooks may go: public addresses, and those networks that the operator names.

The check is made on the very address that is connected to, after its name was resolved: a name that resolves to
something else a moment later gains nothing.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses of IPv6 that stand for one of IPv4: NAT64, Teredo, 6to4.
TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")))


class ForbiddenAddressError(OSError):
    """A webhook would reach into a private network."""


def is_allowed(address: Address, networks: Iterable[Network]) -> bool:
    """Whether a webhook may be sent there."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in networks):
        return True
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in TRANSLATED):
        return False
    return address.is_global and not address.is_multicast


class CheckedNetwork(httpcore.NetworkBackend):
    """Connections for httpcore: to allowed addresses only, and all of it before a deadline."""

    def __init__(self, networks: Iterable[Network], *, seconds: float) -> None:
        self._networks = tuple(networks)
        self._deadline = time.monotonic() + seconds
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check, and connect to what was checked."""
        addresses = _resolved(host, port)
        for address in addresses:
            if not is_allowed(address, self._networks):
                raise ForbiddenAddressError(f"{host} is {address}, which is not a public address")
        left = seconds_left(self._deadline)
        stream = self._plain.connect_tcp(str(addresses[0]), port, left, local_address, socket_options)
        return _TimedStream(stream, self._deadline)


class _TimedStream(httpcore.NetworkStream):
    """A stream on which every wait ends at the deadline: one that sends a byte now and then does not go on for ever."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, seconds_left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, seconds_left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, seconds_left(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def seconds_left(deadline: float) -> float:
    """Seconds until a deadline. Raises `httpcore.TimeoutException` when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.TimeoutException("no answer in time")
    return left


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [ipaddress.ip_address(address[0]) for *_, address in found]
    except (socket.gaierror, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved") from error
