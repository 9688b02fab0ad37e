"""TOML with line numbers: what a file says, and on which line it says each thing.

The standard library reads TOML but forgets where things stood. Here ``tomllib`` judges and reads the file;
a scanner then walks the text, which is known to be good, and notes the line of every key and list item.
"""

from __future__ import annotations

import re
import tomllib

from campaign.located import Node, Path, locate

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SCALAR = re.compile(r"[^,\]}#\n]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))', re.DOTALL),
    re.compile(r"'''.*?'''(?:'{0,2}(?!'))", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\])*"'),
    re.compile(r"'[^']*'"),
)


class FileSyntaxError(ValueError):
    """A campaign file that cannot be read, with the line (from 1) at which that showed."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read_toml(text: str) -> Node:
    """The tables of a TOML document, each value with its line. Raises FileSyntaxError."""
    text = text.replace("\r\n", "\n")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise FileSyntaxError("it is nested too deeply", 1) from None
    except ValueError as error:
        raise _syntax_error(error, text) from None
    return locate(data, toml_lines(text))


def _syntax_error(error: ValueError, text: str) -> FileSyntaxError:
    message = str(error)
    place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if place is None:
        return FileSyntaxError(message, 1)
    line = int(place[1]) if place[1] else max(1, text.count("\n") + (not text.endswith("\n")))
    return FileSyntaxError(message[: place.start()], line)


def toml_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every key and list item of a *valid* TOML document.

    A table's line is that of its header, or of the first key that implies it; an array of tables has the
    line of its first header. The paths are exactly those of ``tomllib.loads(text)``.
    """
    return _Scanner(text).scan()


class _Scanner:
    """Walks a valid document once; ``tables`` counts the entries of each array of tables so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}
        self._counted_to = 0
        self._line = 1

    @property
    def line(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line

    def scan(self) -> dict[Path, int]:
        table: Path = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.lines

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def header(self) -> Path:
        line = self.line
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        keys = self.dotted_key()
        self.at += 2 if many else 1
        path: Path = ()
        for key in keys[:-1]:
            path = self.current((*path, key), line)
        path = (*path, keys[-1])
        if not many:
            self.lines[path] = line
            return path
        self.lines.setdefault(path, line)
        self.tables[path] = self.tables.get(path, -1) + 1
        path = (*path, self.tables[path])
        self.lines[path] = line
        return path

    def current(self, path: Path, line: int) -> Path:
        """The path of a table on the way to another: the last entry where it is an array of tables."""
        self.lines.setdefault(path, line)
        return (*path, self.tables[path]) if path in self.tables else path

    def pair(self, table: Path) -> None:
        line = self.line
        for key in self.dotted_key():
            table = (*table, key)
            self.lines.setdefault(table, line)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value(table)

    def dotted_key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self.skip(_SPACE)
            keys.append(self.key())
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def key(self) -> str:
        bare = self.skip(_BARE)
        if bare:
            return bare
        quoted = self.skip(_STRINGS[2]) or self.skip(_STRINGS[3])
        return str(tomllib.loads(f"k = {quoted}")["k"])

    def value(self, path: Path) -> None:
        first = self.text[self.at]
        if first == "[":
            self.items(path)
        elif first == "{":
            self.inline_table(path)
        elif first in "\"'":
            if not any(self.skip(pattern) for pattern in _STRINGS):
                raise ValueError("a string without an end in a document that was found valid")
        else:
            self.skip(_SCALAR)

    def items(self, path: Path) -> None:
        self.at += 1
        place = 0
        while not self.closed("]"):
            self.lines[(*path, place)] = self.line
            self.value((*path, place))
            place += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while not self.closed("}"):
            self.pair(path)

    def closed(self, bracket: str) -> bool:
        """Pass blanks and a comma; whether the bracket was reached (and passed)."""
        self.skip(_BLANK)
        if self.text.startswith(",", self.at):
            self.at += 1
            self.skip(_BLANK)
        if not self.text.startswith(bracket, self.at):
            return False
        self.at += 1
        return True
