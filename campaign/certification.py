"""What people decided about tests, results, products, figures and frames: the rows of ``certification.csv``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from campaign.model import Day, Model

Decided = Literal["reviewed", "accepted", "rejected", "valid outlier", "acknowledged"]


class Decision(Model):
    """One decision of a person or a rule. Later rows win over earlier ones about the same subject; none is ever removed.

    ``subject`` is an address of names: 'block/test', 'block/test/procedure/detector' (an outcome), the latter with
    '#quantity[.channel][.setting]' (a measurement), '#figure:name' or '#product:name', or 'frame:exposure/detector'.
    """

    date: Day | None = Field(None, description="When it was decided")
    who: str = Field(description="The person's name, or 'rule: …'")
    decision: Decided = Field(description="reviewed, accepted, rejected, valid outlier or acknowledged")
    subject: str = Field(description="What it is about")
    result: str = Field("", description="Result id it was made on; a decision on another result is outdated")
    reason: str = Field("", description="Code of the reason")
    text: str = Field("", description="The reason in words")
    row: int = 0
