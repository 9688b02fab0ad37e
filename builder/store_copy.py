"""The copy of the database that the site offers: all history, no caches.

SQLite copies rows while Python runs on: what a build settles before it draws pages is copied beside the drawing, and the
few rows that a build ends with afterwards. The bytes are the same whenever each part was copied.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from builder.store_schema import ENDING, SETTLED, migrate


class StoreCopy:
    """A copy of a store's database in memory, begun now; nothing may be added to its ``SETTLED`` tables until it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._fault: Exception | None = None
        self._beside = threading.Thread(target=self._settled, name="calbook database copy", daemon=True)
        self._beside.start()

    def finish(self) -> bytes:
        """The copy as one file, with all that the database holds by now. Raises sqlite3.Error when it cannot be read."""
        self._beside.join()
        try:
            if self._fault is not None:
                raise self._fault
            self._take(ENDING)
            return self._db.serialize()
        finally:
            self._db.close()

    def _settled(self) -> None:
        try:
            migrate(self._db, 0)
            self._db.execute("ATTACH ? AS store", (str(self._path),))  # rows then never pass through Python
            self._take(SETTLED)
        except Exception as error:  # told by ``finish``, to whom it matters
            self._fault = error

    def _take(self, tables: Sequence[str]) -> None:
        """Copy tables as they are now: a transaction for each call, as one sees nothing that was added since it began.

        ``SELECT *`` alone, into an empty table of the same make, is what SQLite answers by handing over the rows and each
        index in their order as they are (its transfer optimisation): asked to sort, it would unpack them and sort each index anew.
        """
        self._db.execute("BEGIN")
        for table in tables:
            self._db.execute(f"INSERT INTO main.{table} SELECT * FROM store.{table}")
        self._db.execute("COMMIT")
