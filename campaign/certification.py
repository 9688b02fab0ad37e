"""What people decided about tests, results, products, figures and frames: the rows of ``certification.csv``.

Here is what a decision is, what it may be about, and what follows from it. ``campaign.certification_file`` reads and
writes the file; which results there are, and so what is outdated, only a build knows (``builder.certified``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from pydantic import Field

from campaign.values import Day, Model

Decided = Literal["reviewed", "accepted", "rejected", "valid outlier", "acknowledged"]
DECIDED: tuple[Decided, ...] = get_args(Decided)

MEANINGS: Mapping[Decided, str] = {
    "reviewed": "somebody looked at it",
    "accepted": "it may be used",
    "rejected": "it must not be used, and is left out of trends",
    "valid outlier": "it is right but not typical: it may be used, and is left out of trends",
    "acknowledged": "its failure is known: it is no longer an open one",
}
"""What each decision means."""

JUDGING: frozenset[str] = frozenset({"accepted", "rejected", "valid outlier"})
"""Decisions on whether something may be used. The latest of them stands; the others do not undo it."""

REASONED: frozenset[str] = frozenset({"rejected", "valid outlier", "acknowledged"})
"""Decisions that need a reason."""

REASONS: Mapping[str, str] = {
    "instrument": "the instrument was not in its normal state",
    "lamp": "the light source was not as it should have been",
    "stray-light": "light came in that should not have",
    "environment": "temperature, vacuum, supply or vibrations were off",
    "operator": "the test was not run as planned",
    "data": "frames are missing, damaged or mixed up",
    "processing": "the analysis is at fault, not the data",
    "outlier-understood": "the deviation is real and its cause is known",
    "other": "none of these: the text says what",
}
"""Codes of reasons that every campaign has; ``[certification] reasons`` adds others."""

RULE = "rule: "
"""How the name begins that a rule decides under. No person's does."""

SHORTEST_RESULT = 8
"""Characters of a result id that are enough to name it."""


class Decision(Model):
    """One decision of a person or a rule. Later rows win over earlier ones about the same subject; none is ever removed.

    ``subject`` is an address of names: 'block/test', 'block/test/procedure/detector' (an outcome), the latter with
    '#quantity[.channel][.setting]' (a measurement), '#figure:name' or '#product:name', or 'frame:exposure/detector'
    ('frame:block/exposure/detector' where several blocks have such a frame). See ``subject`` below.
    """

    date: Day | None = Field(None, description="When it was decided")
    who: str = Field(description="The person's name, or 'rule: …'")
    decision: Decided = Field(description="reviewed, accepted, rejected, valid outlier or acknowledged")
    subject: str = Field(description="What it is about")
    result: str = Field("", description="Result id it was made on; a decision on another result is outdated")
    reason: str = Field("", description="Code of the reason")
    text: str = Field("", description="The reason in words")
    row: int = 0

    @property
    def by_rule(self) -> bool:
        """Whether a rule made it."""
        return self.who.startswith(RULE)

    def on(self, result: str) -> bool:
        """Whether it was made on that result, given in full; one that names none is about whatever there is."""
        return not self.result or result == self.result or (len(self.result) >= SHORTEST_RESULT and result.startswith(self.result))  # fmt: skip


def subject(*names: str, part: str = "") -> str:
    """The address of something by the names that lead to it, and perhaps of a part of it.

    Marks that separate are written as '%2F', '%23' and '%25' within a name, so that two things never share an address.

    >>> subject("BORN", "BIAS01", "bias", "CCD1", part="read_noise.E")
    'BORN/BIAS01/bias/CCD1#read_noise.E'
    """
    held = (n.replace("%", "%25").replace("/", "%2F").replace("#", "%23") for n in names)
    return "/".join(held) + (f"#{part}" if part else "")


def frame_subject(exposure: str, detector: str, block: str = "") -> str:
    """The address of a frame; with its block it is clear whatever frames other blocks have."""
    return "frame:" + subject(*filter(None, (block, exposure, detector)))


def around(address: str) -> list[str]:
    """What an address lies in, nearest first: the outcome of a part, and the test; nothing for a frame."""
    if address.startswith("frame:"):
        return []
    whole, mark, _ = address.partition("#")
    names = whole.split("/")
    return ([whole] if mark else []) + (["/".join(names[:2])] if len(names) > 2 else [])


def standing(decisions: Iterable[Decision], address: str, result: str) -> Decision | None:
    """The latest decision about something on whether it may be used, where it was made on the result shown now."""
    held = [d for d in decisions if d.subject == address and d.decision in JUDGING]
    return held[-1] if held and held[-1].on(result) else None


def excluded(decisions: Iterable[Decision], *subjects: tuple[str, str]) -> str:
    """Why something is left out of trends, in words; '' where it is not.

    ``subjects`` are (address, result id) of the thing and of what it lies in, nearest first (``around``): the first
    about which a standing decision was made decides. So a measurement that somebody accepted stays, although its test
    was rejected. Of whole builds ask ``builder.certified.Certification.excluded``, which looks nothing up twice.
    """
    held = list(decisions)
    for address, result in subjects:
        found = standing(held, address, result)
        if found is not None:
            return why_excluded(found)
    return ""


def why_excluded(decision: Decision) -> str:
    """What a standing decision says against using something in trends; '' where it says nothing against it."""
    if decision.decision not in ("rejected", "valid outlier"):
        return ""
    day = f", {decision.date}" if decision.date else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"{decision.decision} by {decision.who}{day}{reason}"


def acknowledged(decisions: Iterable[Decision], *subjects: tuple[str, str]) -> Decision | None:
    """The latest acknowledgement of the failure of something, or of what it lies in, on the result shown; else None."""
    results = dict(subjects)
    found = [
        d
        for d in decisions
        if d.decision == "acknowledged" and d.subject in results and d.on(results[d.subject])
    ]
    return found[-1] if found else None
