"""Writing a decision into ``certification.csv``: below the rows of others, which stay as they are to the last byte."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import orjson

from builder.lock import NO_LOCKS
from builder.render.addresses import SUBJECTS_JSON
from campaign.certification import REASONED, SHORTEST_RESULT, Decision
from campaign.certification_file import (
    CertificationFileError,
    decoded,
    form_of,
    header,
    line,
    read_file,
)
from campaign.checked import nearest
from campaign.frozen import dataclass

PATIENCE = 10.0
"""Seconds to wait for another command that writes to the same file."""


class CertifyError(Exception):
    """Nothing was written; the message says why, and what to do."""


@dataclass(frozen=True)
class Subjects:
    """What the last build knows: result ids by address, the parts of each outcome, and the codes of reasons."""

    results: Mapping[str, str]
    parts: Mapping[str, Collection[str]]
    reasons: Mapping[str, str]

    @classmethod
    def of_site(cls, site: Path) -> Subjects:
        """From the built site. Raises CertifyError where there is none."""
        try:
            held = orjson.loads((site / SUBJECTS_JSON).read_bytes())
            return cls(held["results"], held["parts"], held["reasons"])
        except FileNotFoundError:
            raise CertifyError("There is no built site yet, so no result to decide about: calbook build it first.") from None  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CertifyError(f"{site / SUBJECTS_JSON} cannot be read ({error}): build the site again.") from None  # fmt: skip

    def find(self, subject: str) -> tuple[str, str]:
        """(address, result id shown now) of something by its address. Raises CertifyError where there is no such thing."""
        whole, mark, part = subject.partition("#")
        if mark and part in self.parts.get(whole, ()):
            return subject, self.results[whole]
        if not mark and subject in self.results:
            return subject, self.results[subject]
        if subject.startswith("frame:"):
            ends = subject.removeprefix("frame:")
            found = [s for s in self.results if s.startswith("frame:") and s.endswith(f"/{ends}")]
            if len(found) == 1:
                return found[0], self.results[found[0]]
            if found:
                raise CertifyError(
                    f"Several blocks have the frame {ends}: name one of {', '.join(sorted(found))}."
                )
        known = [f"{whole}#{p}" for p in self.parts.get(whole, ())] if mark else []
        close = nearest(subject, known or list(self.results))
        raise CertifyError(
            f"The last build has nothing called {subject!r}." + (f" Did you mean {close!r}?" if close else "")
        )


def decided(
    subjects: Subjects,
    subject: str,
    decision: str,
    who: str,
    *,
    reason: str = "",
    text: str = "",
    day: date | None,
) -> Decision:
    """A decision on the result that is shown now. Raises CertifyError for what is unknown or lacking."""
    address, result = subjects.find(subject.strip())
    who, reason = who.strip(), reason.strip()
    if not who or who.startswith("rule:"):
        raise CertifyError("Say who decides: a person's name.")
    if reason and reason not in subjects.reasons:
        close = nearest(reason, list(subjects.reasons))
        raise CertifyError(
            f"There is no reason {reason!r}"
            + (f": did you mean {close!r}?" if close else ".")
            + f" Known: {', '.join(subjects.reasons)}."
        )
    if decision in REASONED and not reason:
        raise CertifyError(f"A decision {decision!r} needs a reason: {', '.join(subjects.reasons)}.")
    if address.startswith("frame:"):
        result = result[:20]  # of a fingerprint: enough, as of every result id
    return Decision.model_validate(
        {"date": day, "who": who, "decision": decision, "subject": address, "result": result, "reason": reason, "text": text}
    )  # fmt: skip


def from_file(subjects: Subjects, path: Path) -> list[Decision]:
    """The decisions of a file that a page of the site made. Raises CertifyError when one of them cannot be used.

    A decision keeps the result that the page showed, even where another is shown by now: it is then outdated, as it is.
    """
    held, findings = read_file(path, subjects.reasons)
    wrong = [f for f in findings if f.kind != "unknown-key"]
    if wrong:
        raise CertifyError(
            f"{path.name}, line {wrong[0].where.rpartition(':')[2]}: {wrong[0].what}. {wrong[0].todo}"
        )
    if not held:
        raise CertifyError(f"{path} holds no decisions.")
    for decision in held:
        subjects.find(decision.subject)
        if decision.result and len(decision.result) < SHORTEST_RESULT:
            raise CertifyError(f"{decision.subject}: the result id {decision.result!r} is too short.")
    return list(held)


def append(path: Path, decisions: Sequence[Decision]) -> tuple[int, str]:
    """Write decisions below all rows of the file, in its form, in one piece, which is made where it is not there.

    Returns the line (from 1) of the first, and the text that was written. The file is locked meanwhile; nothing that it
    holds is touched. Raises CertifyError when it cannot be written, or its end is not clear.
    """
    try:
        handle = _locked(path)
    except OSError as error:
        raise CertifyError(f"{path} cannot be written ({error.strerror}).") from None
    try:
        size = os.fstat(handle).st_size
        text = decoded(os.pread(handle, size, 0))
        if text.count('"') % 2:
            raise CertifyError(f"{path} has a quotation mark that is never closed: mend that first, or rows below are read as its text.")  # fmt: skip
        form = form_of(text)
        head = "" if text else header(form)
        rows = "".join(line(d, form) for d in decisions)
        _write(handle, (head + ("" if form.ended else form.end) + rows).encode(), size)
        return form.lines + (1 if text else 2), rows
    except CertificationFileError as error:
        raise CertifyError(f"{path} is not used as it is: {error}. Put that right first.") from None
    except ValueError as error:
        raise CertifyError(f"That cannot be written: {error}.") from None
    except OSError as error:
        raise CertifyError(f"{path} cannot be written ({error.strerror}).") from None
    finally:
        os.close(handle)


def _locked(path: Path) -> int:
    """The file, open for adding to it, and locked. Raises CertifyError when another holds it for too long, OSError."""
    until = time.monotonic() + PATIENCE
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            if time.monotonic() > until:
                raise CertifyError(f"{path} is being written by another command: try again.") from None
            time.sleep(0.05)
            continue
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(handle)
                raise
        try:
            if os.path.samestat(os.stat(path), os.fstat(handle)):  # noqa: PTH116
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)  # an editor has put another file in its place meanwhile


def _write(handle: int, data: bytes, size: int) -> None:
    """All of it or nothing: what a full disk cuts off is taken back. Raises OSError."""
    try:
        written = os.write(handle, data)
        while written < len(data):
            written += os.write(handle, data[written:])
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise
