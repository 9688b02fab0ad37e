"""The copy of the database that the site offers: all history, no caches.

SQLite copies rows while Python runs on: what a build settles before it draws pages is copied beside the drawing, and the
few rows that a build ends with afterwards. The bytes are the same whenever each part was copied.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from builder.store_schema import ENDING, SETTLED, migrate


class StoreCopy:
    """A copy of a store's database, a file in the folder ``parts`` until the end of ``with``: whoever wants it moves it away.

    Once begun, nothing may be added to the store's ``SETTLED`` tables until it is whole.
    """

    def __init__(self, path: Path, parts: Path) -> None:
        self._path = path
        parts.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=parts, prefix=".part-")  # what a kill leaves of it is found there
        os.close(handle)
        self._file = Path(name)
        self._db = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        self._fault: Exception | None = None
        self._beside: threading.Thread | None = None

    def __enter__(self) -> StoreCopy:
        return self

    def __exit__(self, *exc: object) -> None:
        while self._beside is not None and self._beside.is_alive():  # nobody waited for it: it is not wanted
            self._db.interrupt()
            self._beside.join(0.01)
        self._db.close()
        self._file.unlink(missing_ok=True)

    def begin(self) -> None:
        """Copy what is settled while this process goes on."""
        self._beside = threading.Thread(target=self._settled, name="calbook database copy", daemon=True)
        self._beside.start()

    def finish(self) -> Path:
        """The file, whole: with all that the database holds by now. Raises sqlite3.Error when it cannot be read."""
        if self._beside is None:
            self.begin()
        assert self._beside is not None
        self._beside.join()
        if self._fault is not None:
            raise self._fault
        self._take(ENDING)
        self._db.close()
        self._file.chmod(0o644)
        return self._file

    def _settled(self) -> None:
        try:
            # a file that a fault leaves half is thrown away, so it needs neither a journal nor the disk's word
            self._db.execute("PRAGMA journal_mode=OFF")
            self._db.execute("PRAGMA synchronous=OFF")
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
