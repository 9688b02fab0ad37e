"""Frozen dataclasses say, compare and hash as those of the standard library do."""

import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import field, fields, replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign.frozen import dataclass


def made_by(decorate: Callable[..., Any]) -> dict[str, Any]:
    """The same classes, by either decorator."""

    @decorate(frozen=True)
    class Empty:
        pass

    @decorate(frozen=True)
    class One:
        value: object

    @decorate(frozen=True)
    class Several:
        """Has fields of all kinds."""

        name: str
        value: object = 1.0
        beside: object = field(default=None, compare=False)
        unsaid: object = field(default=(), repr=False)

    @decorate(frozen=True)
    class More(Several):
        further: object = 0

    @decorate(frozen=True)
    class Own:
        value: object

        def __eq__(self, other: object) -> bool:
            return other == "own"

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "mine"

    @decorate(frozen=True)
    class OwnEqual:
        value: object

        def __eq__(self, other: object) -> bool:
            return isinstance(other, OwnEqual)

    @decorate(frozen=True, slots=True)
    class Slotted:
        value: object
        other: object = 2

    @decorate
    class Open:
        value: object
        held: list[int] = field(default_factory=list)

    @decorate(frozen=True, eq=False)
    class Itself:
        value: object

    return {c.__name__: c for c in (Empty, One, Several, More, Own, OwnEqual, Slotted, Open, Itself)}


OURS, THEIRS = made_by(dataclass), made_by(dataclasses.dataclass)
PLAIN = st.one_of(
    st.none(), st.integers(-2, 2), st.floats(-1, 1), st.text(max_size=2), st.tuples(st.integers(0, 1))
)


@given(st.lists(PLAIN, max_size=5), st.lists(PLAIN, max_size=5))
def test_they_compare_and_say_the_same(one: list[object], two: list[object]) -> None:
    for name, theirs in THEIRS.items():
        ours, count = OURS[name], len(fields(theirs))
        least = sum(
            f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            for f in fields(theirs)
        )
        if not (least <= len(one[:count]) and least <= len(two[:count])):
            continue
        (a, b), (c, d) = ((kind(*one[:count]), kind(*two[:count])) for kind in (ours, theirs))
        assert (a == b) == (c == d)
        assert (a == a, a == one) == (c == c, c == one)
        assert repr(a) == repr(c)
        if name == "Open":
            with pytest.raises(TypeError, match="unhashable"):
                hash(a)
        elif name != "Itself":
            assert (hash(a) == hash(b)) == (hash(c) == hash(d))


def test_a_frozen_object_cannot_be_hashed_where_its_values_cannot() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(OURS["One"]([1]))


def test_an_object_that_holds_itself_says_so() -> None:
    held: list[object] = []
    held.append(OURS["One"](held))
    assert repr(held[0]) == "made_by.<locals>.One(value=[...])"


def test_subclasses_are_not_their_bases() -> None:
    assert OURS["Several"]("a") != OURS["More"]("a")


@dataclass(frozen=True)
class Kept:
    name: str
    numbers: tuple[int, ...] = ()


def test_what_the_standard_library_does_with_them_works() -> None:
    one = Kept("a", (1, 2))
    assert replace(one, name="b") == Kept("b", (1, 2))
    assert dataclasses.asdict(one) == {"name": "a", "numbers": (1, 2)}
    assert pickle.loads(pickle.dumps(one)) == one
    assert orjson.dumps(one) == b'{"name":"a","numbers":[1,2]}'
    match one:
        case Kept(name, numbers):
            assert (name, numbers) == ("a", (1, 2))
    with pytest.raises(TypeError, match="unexpected keyword"):
        Kept("a", other=1)  # type: ignore[call-arg]
