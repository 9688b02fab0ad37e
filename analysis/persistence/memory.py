"""Memory that the channels of a detector use one after another: taking it anew costs more than most of what is done in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.correction import Corrected
from campaign.frozen import dataclass


@dataclass(frozen=True)
class Planes:
    """Arrays of one channel's image shape, whatever they hold: a ``frame`` under correction, ``level`` and ``valid`` of what was exposed, and of the darks before it ``total``, ``highest`` and ``count``."""

    frame: Corrected
    level: NDArray[np.float32]
    valid: NDArray[np.bool_]
    total: NDArray[np.float32]
    highest: NDArray[np.float32]
    count: NDArray[np.uint16]

    @classmethod
    def of(cls, shape: tuple[int, int], before: Planes | None = None) -> Planes:
        """Those of the channel ``before`` where they have this shape, else new ones; what that channel's were used for is lost."""
        if before is not None and before.level.shape == shape:
            return before
        level, total, highest = (np.empty(shape, np.float32) for _ in range(3))
        frame = Corrected(np.empty(shape, np.float32), np.empty(shape, np.int32))
        return cls(frame, level, np.empty(shape, bool), total, highest, np.empty(shape, np.uint16))
