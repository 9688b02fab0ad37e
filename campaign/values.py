"""What the shapes of a campaign folder are made of: a strict model, and days as people write them."""

from __future__ import annotations

import re
from datetime import date as Date  # noqa: N812 - a field of that name would hide the type
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Model(BaseModel):
    """A strict, immutable part of the campaign folder: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False)


def day(value: object) -> Date | None:
    """A day as people write it. Numbers are refused: 20180501 would be read as seconds since 1970.

    Raises ValueError for anything that is no day.
    """
    if value is None or (isinstance(value, Date) and not isinstance(value, datetime)):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value.strip()):
        return Date.fromisoformat(value.strip())
    raise ValueError("a date such as 2018-05-01 is wanted")


Day = Annotated[Date, BeforeValidator(day)]
