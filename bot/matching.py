"""What people type against what Novita calls things: GPUs, regions, templates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

from rapidfuzz import fuzz, process

from bot.errors import ProductNotFound, RegionNotFound, TemplateNotFound
from storage.cloud import Cluster, Template

T = TypeVar("T")


def match_gpu(typed: str, names: Iterable[str]) -> str:
    """The one product name that is meant: the name itself, else whole words of it, else a part of it.

    Case, spaces and punctuation do not count. Raises ProductNotFound where none or several fit.
    """
    known = sorted(set(names))
    for fits in (_same, _has_words, _has_part):
        found = [name for name in known if fits(typed, name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise ProductNotFound(f"{typed} could be {_either(found)}.", nearest=tuple(found))
    raise _no_gpu(typed, known)


def match_gpus(typed: str, names: Iterable[str]) -> tuple[str, ...]:
    """All that may be meant: those that have the whole words, else those that have it as a part.

    Raises ProductNotFound where none does.
    """
    known = sorted(set(names))
    found = gpus_with(typed, known)
    if not found:
        raise _no_gpu(typed, known)
    return found


def gpus_with(typed: str, names: Sequence[str]) -> tuple[str, ...]:
    """As `match_gpus`, in the order given; empty where none fits."""
    for fits in (_has_words, _has_part):
        found = tuple(name for name in names if fits(typed, name))
        if found:
            return found
    return ()


def nearest_gpus(typed: str, names: Sequence[str], limit: int) -> tuple[str, ...]:
    """What may be meant by a slip of the finger, best first."""
    return _nearest(typed, names, limit)


def _no_gpu(typed: str, known: Sequence[str]) -> ProductNotFound:
    nearest = _nearest(typed, known)
    meant = f" Did you mean {_either(nearest)}?" if nearest else ""
    return ProductNotFound(f"Novita has no GPU called {typed}.{meant}", nearest=nearest)


def match_region(typed: str, clusters: Sequence[Cluster]) -> Cluster:
    """By id (`cn-hongkong-1`), name (`CN-HK-01`) or display name (`CN-HK-01 (Hong Kong)`)."""
    wanted = region_code(typed)
    for cluster in clusters:
        if squeezed(typed) in (squeezed(cluster.id), squeezed(cluster.name)) or wanted == region_code(
            cluster.name
        ):
            return cluster
    names = [cluster.name for cluster in clusters]
    nearest = _nearest(typed, names) or tuple(sorted(names)[:3])
    meant = f" Did you mean {_either(nearest)}?" if nearest else ""
    raise RegionNotFound(f"Novita has no region {typed}.{meant}", nearest=nearest)


def match_template(typed: str, templates: Sequence[Template]) -> Template:
    """By id, else by name. Of several with one name the official one counts."""
    by_id = [template for template in templates if template.id == typed]
    by_name = [template for template in templates if squeezed(template.name) == squeezed(typed)]
    found = by_id or sorted(by_name, key=lambda template: template.channel != "official")
    if found:
        return found[0]
    nearest = _nearest(typed, [template.name for template in templates])
    meant = f" Did you mean {_either(nearest)}?" if nearest else ""
    raise TemplateNotFound(f"Novita has no template {typed}.{meant}", nearest=nearest)


@lru_cache(maxsize=1_024)
def region_code(name: str) -> str:
    """`US-CA-06 (California)` and `us-ca-06` alike give `us-ca-06`: Novita names regions both ways."""
    return name.strip().split(" ", 1)[0].split("(", 1)[0].casefold()


def region_word(name: str) -> str:
    """What people type: `US-CA-06` of `US-CA-06 (California)`."""
    return name.split(" (", 1)[0].strip()


@lru_cache(maxsize=4_096)
def squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def _same(typed: str, name: str) -> bool:
    return squeezed(typed) == squeezed(name)


def _has_words(typed: str, name: str) -> bool:
    words = re.findall(r"[a-z0-9]+", typed.casefold())
    return bool(words) and set(words) <= set(re.findall(r"[a-z0-9]+", name.casefold()))


def _has_part(typed: str, name: str) -> bool:
    return bool(squeezed(typed)) and squeezed(typed) in squeezed(name)


def _nearest(typed: str, names: Sequence[str], limit: int = 3) -> tuple[str, ...]:
    found = process.extract(
        typed, names, scorer=fuzz.WRatio, processor=squeezed, limit=limit, score_cutoff=50
    )
    return tuple(dict.fromkeys(name for name, _score, _index in found))


def _either(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = names[:6]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"
