"""Values that know the line they were written on, so that a message can lead a person there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from campaign.frozen import dataclass

T = TypeVar("T")

Path = tuple[str | int, ...]
"""The way to a value: keys of tables and places (from 0) in lists."""


@dataclass
class Node:
    """A value of a campaign file and its line (from 1).

    ``value`` is a dict of nodes, a list of nodes, or a scalar. Removing a child leaves the lines of the
    others as they were.
    """

    value: Any
    line: int

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """(key or place, node) of a table or list; nothing for a scalar."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def child(self, key: str | int) -> Node | None:
        """The child of that key or place, or None."""
        return next((node for name, node in self.children() if name == key), None)

    def nearest(self, path: Path) -> tuple[Path, Node]:
        """The deepest node on the way of ``path``, and how far along it lies."""
        node, done = self, 0
        for key in path:
            found = node.child(key)
            if found is None:
                break
            node, done = found, done + 1
        return path[:done], node

    def remove(self, path: Path) -> None:
        """Take the value at ``path`` out. Raises KeyError when it is not there."""
        parent_path, parent = self.nearest(path[:-1])
        if len(parent_path) < len(path) - 1 or parent.child(path[-1]) is None:
            raise KeyError(path)
        del parent.value[path[-1]]

    def pop(self, key: str) -> Node | None:
        """Take a key out of a table; None when it has no such key."""
        return self.value.pop(key, None) if isinstance(self.value, dict) else None

    def plain(self) -> Any:
        """The value without lines; lists stay lists."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def frozen(self) -> Any:
        """The value without lines; lists become tuples, as the models hold them."""
        if isinstance(self.value, dict):
            return {key: node.frozen() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return tuple(node.frozen() for node in self.value)
        return self.value


def locate(data: Any, lines: Mapping[Path, int], path: Path = (), above: int = 1) -> Node:
    """Plain data with the lines of its paths put beside them; a path without a line takes its parent's."""
    line = lines.get(path, above)
    if isinstance(data, dict):
        return Node({k: locate(v, lines, (*path, k), line) for k, v in data.items()}, line)
    if isinstance(data, list):
        return Node([locate(v, lines, (*path, i), line) for i, v in enumerate(data)], line)
    return Node(data, line)


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A checked value, the node that it was read from, and the file of that node."""

    value: T
    node: Node
    file: str

    def where(self, *path: str | int) -> str:
        """file:line of the value at ``path``, or of the nearest thing around it that is there."""
        return f"{self.file}:{self.node.nearest(path)[1].line}"
