"""Whether caveats have expired: told of the day of a build, before anything that only measuring needs is loaded."""

from __future__ import annotations

from datetime import date

from campaign.model import Campaign


def as_of(campaign: Campaign, day: date) -> Campaign:
    """The campaign with caveats marked that have expired by a day; the same object where none has."""
    gone = [c for c in campaign.caveats if c.expires is not None and c.expires < day]
    if not gone:
        return campaign
    caveats = [c.model_copy(update={"expired": True}) if c in gone else c for c in campaign.caveats]
    return campaign.model_copy(update={"caveats": tuple(caveats)})
