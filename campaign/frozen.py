"""Dataclasses that are made in a quarter of the time: of which a build has hundreds of classes, and objects by the hundred thousand.

The standard library's decorator compiles six functions for each frozen class whenever Python starts, and the one that makes an
object sets each field by way of a check that nothing sets fields. Here ``__init__`` alone is compiled; the other
methods, alike for all classes, are written once. That a frozen object is not changed is left to the type checker, to which this is the standard
library's own decorator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from functools import partial
    from operator import attrgetter
    from reprlib import recursive_repr

    def dataclass(cls=None, /, *, frozen=False, eq=True, **options):
        """``dataclasses.dataclass``, but that a frozen object is hashed, not guarded; without ``order`` and ``unsafe_hash``."""
        if cls is None:
            return partial(dataclass, frozen=frozen, eq=eq, **options)
        own = vars(cls)
        said = {name for name in ("__eq__", "__repr__") if name in own}
        hashed = own.get("__hash__") is not None  # a class that defines __eq__ alone has None
        cls = dataclasses.dataclass(cls, eq=False, repr=False, **options)
        fields = dataclasses.fields(cls)
        if "__repr__" not in said:
            cls.__repr__ = _repr_of(tuple(f.name for f in fields if f.repr))
        if eq:
            compared = [f.name for f in fields if f.compare]
            values = attrgetter(*compared) if compared else _nothing
            if "__eq__" not in said:
                cls.__eq__ = _eq_of(values)
            if not hashed:
                cls.__hash__ = _hash_of(values) if frozen else None
        return cls

    def _nothing(value):
        return ()

    def _eq_of(values):
        def __eq__(self, other):  # noqa: N807 - it becomes a method of that name
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return __eq__

    def _hash_of(values):
        def __hash__(self):  # noqa: N807
            return hash(values(self))

        return __hash__

    def _repr_of(names):
        @recursive_repr()
        def __repr__(self):  # noqa: N807
            return f"{self.__class__.__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"

        return __repr__
