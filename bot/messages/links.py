"""Where a running instance is reached with a browser, for everybody to read: addresses without any secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.messages.mrkdwn import link
from storage.cloud import Connection
from storage.records import Instance, State

_LONGEST = 150
"""Characters of one address; with as many links as are shown they fit beside an instance's other lines."""
_MOST = 8
_ADDRESS = re.compile(r"(?i)https?://[a-z0-9.-]+(:\d+)?(/[a-z0-9._~%!$'()+,=:@/-]*)?")


def links(i: Instance) -> str | None:
    """`Open: Jupyter · Web terminal · Port 6006`, each a link; None: it is not running, or has none."""
    if i.state is not State.RUNNING or i.connection is None:
        return None
    found = [link(url, label) for label, url in _addresses(i.connection)]
    if not found:
        return None
    more = f"{len(found) - _MOST} more under Connect" if len(found) > _MOST else None
    return f"Open: {' · '.join(filter(None, (*found[:_MOST], more)))}"


def address(url: str | None) -> str | None:
    """What may be shown of a URL: no query, fragment, parameter or user, which is where tokens are.

    None: nothing of it, since it is no plain web address.
    """
    bare = re.split("[?#;]", url or "", maxsplit=1)[0]
    return bare if len(bare) <= _LONGEST and _ADDRESS.fullmatch(bare) else None


def leads_to(url: str | None, base: str | None) -> bool:
    """Whether `url` is a page of what answers at `base`."""
    if not url or not base:
        return False
    page, root = (re.split("[?#]", each, maxsplit=1)[0].rstrip("/") for each in (url, base))
    return page == root or page.startswith(f"{root}/")


def _addresses(shown: Connection) -> Iterator[tuple[str, str]]:
    named = [("Jupyter", shown.jupyter), ("Web terminal", shown.web_terminal)]
    for label, url in named:
        if (bare := address(url)) is not None:
            yield label, bare
    for endpoint in shown.endpoints:
        if any(leads_to(url, endpoint.url) for _, url in named) or endpoint.protocol != "http":
            continue
        if (bare := address(endpoint.url)) is not None:
            yield f"Port {endpoint.port}", bare
