"""Who calls, and what that one may do."""

import ipaddress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import Headers

from app.errors import Forbidden
from app.keys.table import ApiKey, Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MODELS = "/v1/models"
SESSION = "/v1/session"
# One household or office has as many IPv6 addresses as it likes below these bits.
IPV6_NETWORK = 64


@dataclass(frozen=True)
class Caller:
    """The one behind a request. Without a key where none is asked for, or at the addresses that are open to all."""

    key: ApiKey | None
    address: str

    @property
    def owner(self) -> str | None:
        """What this caller's jobs carry, and the only jobs that exist for it."""
        return self.key.id if self.key else None

    @property
    def submitter(self) -> str | None:
        """Whom limits and turns are counted for: key or address; this machine itself is not counted."""
        if self.key:
            return self.key.id
        return None if _is_this_machine(self.address) else self.address


def caller_of(request: Request) -> Caller:
    """The caller as the gate found it."""
    caller: Caller = request.state.caller
    return caller


InCaller = Annotated[Caller, Depends(caller_of)]


def scope_needed(method: str, path: str) -> Scope:
    """What a key must allow for a request. Whatever is not reading needs more than that."""
    if method in SAFE:
        return Scope.READ
    return Scope.ADMIN if path == MODELS or path.startswith(f"{MODELS}/") else Scope.TRANSCRIBE


def require_scope(key: ApiKey, method: str, path: str) -> None:
    """See that a key allows a request.

    Raises
    ------
    Forbidden
        If it does not.
    """
    needed = scope_needed(method, path)
    if needed not in key.scopes:
        raise Forbidden(f"This needs a key with the scope {needed}; {key.id} has {', '.join(key.scopes)}.")


def is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser sends this for a page of another site. Other programs name no origin.

    A cookie goes along with every request of the browser to this host, also from other ports of the same machine,
    which SameSite does not tell apart.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.rpartition("://")[2] != host


def host_named(headers: Headers) -> str:
    """The name or address that the request was sent to, without the port; empty if it makes no sense."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def network_of(host: str) -> str:
    """The address that counts as one caller."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False)) if not address.is_loopback else host
    return str(address)


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
