"""The head of a block file: facts as YAML between two lines of ``---``, before the prose.

Scalars stay the text that was typed, and the models turn them into numbers and dates where those are
wanted. YAML's own guesses would lose what people mean: a serial number 0123 becomes 83, a version 1.10
becomes 1.1 and the answer "no" a truth value.
"""

from __future__ import annotations

from typing import Any

from campaign.frozen import dataclass
from campaign.located import Node
from campaign.toml_lines import FileSyntaxError

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True)
class Document:
    """A file with front matter: the facts, the prose, and the line on which the prose begins."""

    facts: Node
    body: str
    body_line: int


def read_document(text: str) -> Document:
    """Split a block file and read its facts. Raises FileSyntaxError, with the line in the file."""
    lines = text.replace("\r\n", "\n").split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[start].rstrip() != "---":
        raise FileSyntaxError("it does not begin with front matter between two lines of '---'", start + 1)
    end = next((i for i in range(start + 1, len(lines)) if lines[i].rstrip() in ("---", "...")), None)
    if end is None:
        raise FileSyntaxError("its front matter has no closing line of '---'", start + 1)
    facts = read_yaml("\n".join([*lines[start + 1 : end], ""]), first_line=start + 2)
    return Document(facts, "\n".join(lines[end + 1 :]), end + 2)


def read_yaml(text: str, first_line: int = 1) -> Node:
    """A YAML mapping, each value with its line; scalars as text, empty ones left out. Raises FileSyntaxError."""
    import yaml

    def line(mark: Any) -> int:
        # counted here, because YAML also ends lines where editors and TOML do not
        return first_line + (text.count("\n", 0, mark.index) if mark else 0)

    def node(source: Any, at: int | None = None) -> Node:
        at = line(source.start_mark) if at is None else at
        if isinstance(source, yaml.MappingNode):
            return Node(mapping(source), at)
        if isinstance(source, yaml.SequenceNode):
            return Node([node(item) for item in source.value], at)
        return Node(None if is_null(source) else source.value, at)

    def mapping(source: Any) -> dict[str, Node]:
        out: dict[str, Node] = {}
        for key, value in source.value:
            at = line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise FileSyntaxError("a key is not a word", at)
            if key.value in out:
                raise FileSyntaxError(f"the key {key.value!r} stands twice", at)
            if not is_null(value):
                out[key.value] = node(value, at)
        return out

    def is_null(source: Any) -> bool:
        return isinstance(source, yaml.ScalarNode) and source.style is None and source.value in _NULLS

    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader) if "*" in text else ():
            if isinstance(event, yaml.AliasEvent):  # a few of them can stand for more than memory holds
                raise FileSyntaxError("anchors and aliases are not read", line(event.start_mark))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None or is_null(root):
            return Node({}, first_line)
        if not isinstance(root, yaml.MappingNode):
            raise FileSyntaxError("the front matter is not made of 'key: value' lines", first_line)
        return node(root)
    except RecursionError:
        raise FileSyntaxError("the front matter is nested too deeply", first_line) from None
    except yaml.MarkedYAMLError as error:
        message = error.problem or error.context or "the front matter is not YAML"
        raise FileSyntaxError(message, line(error.problem_mark or error.context_mark)) from None
    except yaml.YAMLError as error:  # a character that YAML does not allow comes without a mark
        raise FileSyntaxError(str(error).splitlines()[0], first_line) from None
