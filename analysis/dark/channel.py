"""What is found of one channel's dark frames."""

from __future__ import annotations

from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from analysis.dark.leak import Leak
from analysis.dark.level import DarkCurrent, Levels
from analysis.dark.temperature import Law, Rates
from analysis.distribution import Distribution
from analysis.masks import Mask
from analysis.response_corrections import NOT_CORRECTED, Correction
from campaign.frozen import dataclass
from campaign.geometry import Channel


@dataclass(frozen=True)
class Master:
    """The master's rates and their errors from the scatter over frames [ADU/s], NaN for fewer than two; and how the rates are spread.

    ``noise`` ± ``noise_error`` [ADU/s] is that of a typical pixel, None for a single frame; ``step`` [ADU/s] what
    the values that means of whole numbers have are apart, 0 for others; ``per_rate`` [ADU/s] how the variance of a pixel grows with its rate (shot noise), 0 where no gain is known.
    """

    mean: NDArray[np.float32]
    error: NDArray[np.float32]
    spread: Distribution
    noise: float | None = None
    noise_error: float = 0.0
    step: float = 0.0
    per_rate: float = 0.0


@dataclass
class OfChannel:
    """All that was found of one channel: levels, dark current, master [ADU/s] with its hot pixels (places in the flattened image), leak and temperature law.

    ``by`` is what frames were corrected by, ``as_read`` their levels [ADU above the offset] before.
    """

    channel: Channel
    levels: Levels
    current: DarkCurrent
    master: Master | None = None
    frames: int = 0
    threshold: float = 0.0
    threshold_label: str = ""
    warm_threshold: float = 0.0
    hot: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    hot_columns: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    mask: Mask = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    leak: Leak | None = None
    rates: Rates | None = None
    by: Correction = NOT_CORRECTED
    as_read: tuple[float, ...] = ()
    law: Law | None = None
