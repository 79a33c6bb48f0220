"""HTML as a browser takes it apart: which tags and attributes there are, and what is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"input", "br", "hr", "meta", "link", "use", "path"}


@dataclass(kw_only=True)
class Tag:
    name: str
    attributes: dict[str, str]
    words: str = ""
    """All that is inside, as it is read."""
    parents: tuple[Tag, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def has_class(self, name: str) -> bool:
        return name in self.attributes.get("class", "").split()


@dataclass
class Reading(HTMLParser):
    html: str
    tags: list[Tag] = field(default_factory=list)
    _open: list[Tag] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        assert not self._open, f"never closed: {self._open[-1].name}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Tag(
            name=tag, attributes={name: value or "" for name, value in attrs}, parents=tuple(self._open)
        )
        assert len(found.attributes) == len(attrs), f"an attribute twice in {self.get_starttag_text()}"
        self.tags.append(found)
        if tag not in VOID:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open[-1].name == tag, f"</{tag}> ends <{self._open[-1].name}>"
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for tag in self._open:
            tag.words += data

    def all(self, name: str = "", /, **attributes: Any) -> list[Tag]:
        """`class_`: one of its classes; others with `_` for `-`; True: whatever it is."""
        return [
            tag
            for tag in self.tags
            if name in {"", tag.name} and all(_has(tag, *pair) for pair in attributes.items())
        ]

    def one(self, name: str = "", /, **attributes: Any) -> Tag:
        found = self.all(name, **attributes)
        assert len(found) == 1, f"{name} {attributes} is there {len(found)} times"
        return found[0]

    @property
    def words(self) -> str:
        return " ".join("".join(tag.words for tag in self.tags if not tag.parents).split())


def _has(tag: Tag, name: str, wanted: Any) -> bool:
    if name == "class_":
        return tag.has_class(wanted)
    value = tag.get(name.rstrip("_").replace("_", "-"))
    return value is not None if wanted is True else value == wanted
