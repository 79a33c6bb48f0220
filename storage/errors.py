"""What storage refuses. Plain exceptions: the verbs translate them into errors that a person may see.

```
StorageError
├── NameInUse               of `add`; carries the next free name
├── KeyReused               the request key came before, with another request
├── NoSuchInstance          nothing of that id or name; carries near names
├── Ambiguous               the name was left out and there are several; carries their names
├── DatabaseBusy            another process has the SQLite file, or the tables that are to be migrated
├── MoveRefused             a database that is to be moved cannot be, and nothing was changed
├── DatabaseNotMigrated     no tables yet, or those of an older version
├── DatabaseTooNew          a later version of this program made it
├── Unreadable              a later version of this program wrote this row: replicas of that one see to it
└── DatabaseUnavailable     it cannot be reached, or not written; told once in the log, by whoever watches it
```
"""

from __future__ import annotations


class StorageError(Exception):
    pass


class NameInUse(StorageError):
    def __init__(self, name: str, *, free: str) -> None:
        super().__init__(f"The name {name} is in use; {free} is free.")
        self.name = name
        self.free = free


class KeyReused(StorageError):
    pass


class NoSuchInstance(StorageError):
    """`ref` is None where the name was left out by somebody who has no instance."""

    def __init__(self, ref: str | None, *, near: tuple[str, ...] = ()) -> None:
        super().__init__("There is no instance." if ref is None else f"There is no instance {ref}.")
        self.ref = ref
        self.near = near


class Ambiguous(StorageError):
    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"There are {len(names)} instances: {', '.join(names)}.")
        self.names = names


class DatabaseBusy(StorageError):
    pass


class MoveRefused(StorageError):
    pass


class DatabaseNotMigrated(StorageError):
    pass


class DatabaseTooNew(StorageError):
    pass


class Unreadable(StorageError):
    """Says which fields, in words that hold nothing secret."""


class DatabaseUnavailable(StorageError):
    pass
