"""Addresses that somebody else wrote: only those of the web become links."""

from __future__ import annotations

from markupsafe import Markup

_OUTSIDE = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>')


def is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def link(url: str, label: str | Markup = "") -> Markup:
    """The words alone, with the address where they hide it, if that is none of the web."""
    if is_web(url):
        return _OUTSIDE.format(url, label or url)
    return Markup("{} ({})").format(label, url) if label else Markup("{}").format(url)
