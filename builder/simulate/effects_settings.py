"""What ``[simulate.truth.effects]`` may say: what a detector, its electronics and its lamp do beyond gain, noise, dark current and full well.

What is left out does not happen. Each effect is computed by a module of ``builder/simulate/effects``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0)]
Value = TypeVar("Value")


class Strict(BaseModel):
    """Immutable; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BrighterFatter(Strict):
    """Borders of pixels that charge moves while more arrives; it replaces the key a00 of the truth."""

    along_row: float = Field(gt=0, description="Area coefficient of the next pixel in the row [1/e⁻]")
    along_column: float = Field(gt=0, description="Area coefficient of the next pixel in the column [1/e⁻]")
    fall: float = Field(3.0, gt=0, description="Power of the distance by which coefficients fall")
    lags: int = Field(5, ge=1, le=16, description="Pixels to which they reach")
    step: float = Field(6000.0, gt=0, description="Charge that arrives before borders are moved anew [e⁻]")


class Persistence(Strict):
    """Traps that hold charge back from light and give it off in later exposures of the block."""

    onset: Positive = Field(description="Charge from which traps fill [e⁻]")
    fraction: Fraction = Field(description="Part of the charge beyond that which they hold")
    time: float = Field(gt=0, description="Time constant of their release [s]")
    spread: Positive = Field(0.0, description="Relative scatter of pixels")


class Glow(Strict):
    """Light that the output amplifier gives off."""

    peak: Positive = Field(description="Rate beside the readout node [e⁻/s]")
    reach: float = Field(gt=0, description="Distance in which it falls by e [pixels]")


class Leak(Strict):
    """Light from outside, in the dark too; it is spread over the image as the lamp's."""

    rate: Positive = Field(0.0, description="Rate at the first exposure of each test [e⁻/s]")
    growth: float = Field(
        0.0, description="By how much it changes within the test [e⁻/s per h]; it never falls below 0"
    )


class Traps(Strict):
    """Traps of the serial register, which all pixels of a row pass one after another."""

    size: Positive = Field(description="Charge that they hold at most [e⁻]")
    share: Fraction = Field(0.01, description="Part of a packet that they take, up to their size")
    time: float = Field(gt=0, description="Time constant of their release [transfers]")


class LocalOffset(Strict):
    """Offset of the output amplifier that each pixel leaves behind for those read after it."""

    scale: Positive = Field(description="Offset over the level of the pixel that left it")
    time: float = Field(gt=0, description="Distance in which it falls by e [pixels]")


class Pattern(Strict):
    """A period in the level of what is read, of another phase in each frame and channel."""

    amplitude: Positive = Field(description="Amplitude [ADU]")
    frequency: float = Field(gt=0, le=0.5, description="Frequency [1/pixel]")
    overhead: Positive = Field(0.0, description="Time between the rows [pixels]")


class Lamp(Strict):
    """The lamp and its shutter."""

    drift: tuple[float, ...] = Field(
        (), description="Change of the light since the first exposure of the test: fractions per h, per h² …"
    )
    scatter: Positive = Field(
        0.0, description="Scatter of the light from exposure to exposure, rms (fraction)"
    )
    shutter: float = Field(0.0, description="Time that the shutter is open longer than it is told [s]")


class Spots(Strict):
    """Spots of exposures of type point at random places, others in each exposure and channel, instead of five at fixed ones."""

    number: int = Field(ge=1, le=200, description="Spots per channel")
    width: float = Field(1.5, gt=0, description="Their size [pixels rms]")
    faintest: Fraction = Field(0.3, description="Peak of the faintest, of the brightest the lamp's light")


class Muons(Strict):
    """Cosmic rays that cross a sensitive layer along straight lines."""

    rate: Positive = Field(description="Rate [1/cm²/min]")
    pitch: float = Field(12.0, gt=0, description="Side of a pixel [µm]")


class Defects(Strict):
    """Pixels that are neither always hot nor dead: how many in each channel, and how bad."""

    noisy: int = Field(0, ge=0, description="Noisy pixels per channel")
    noise: float = Field(10.0, ge=1, description="Their noise, over the read noise of the others")
    bent: int = Field(0, ge=0, description="Pixels per channel that do not follow the light in proportion")
    loss: Fraction = Field(0.2, description="Part of the charge that they lack at full well, below it less")
    telegraph: int = Field(
        0,
        ge=0,
        description="Pixels per channel whose dark current jumps between two levels from exposure to exposure",
    )
    switching: Fraction = Field(
        0.1, description="Chance of a jump from one exposure of the block to the next"
    )
    late: int = Field(0, ge=0, description="Pixels per channel that are hot from a moment on")
    since: datetime | None = Field(None, description="From when on these are hot (UTC)")
    annealed: int = Field(0, ge=0, description="Pixels per channel that are hot until a moment")
    until: datetime | None = Field(None, description="Until when these are hot (UTC)")
    excess: Positive = Field(20.0, description="Dark current of all these while they are hot [e⁻/s]")

    @model_validator(mode="after")
    def _dated(self) -> Defects:
        if (self.late and self.since is None) or (self.annealed and self.until is None):
            raise ValueError("says neither since when late pixels are hot nor until when annealed ones are")
        return self

    @property
    def changing(self) -> int:
        """Pixels per channel that change with time."""
        return self.telegraph + self.late + self.annealed


class Effects(Strict):
    """All effects of a detector."""

    non_linearity: tuple[float, ...] | dict[str, tuple[float, ...]] = Field(
        (),
        description="Relative deviations at 65536 ADU by power of the level, for all channels or by channel",
    )
    brighter_fatter: BrighterFatter | None = Field(None, description="Brighter-fatter effect")
    serial_cti: float | dict[str, float] = Field(
        0.0, description="Part of a packet left behind at one serial transfer, for all channels or by channel"
    )
    parallel_cti: float | dict[str, float] = Field(
        0.0, description="The same at one parallel transfer, for all channels or by channel"
    )
    traps: Traps | None = Field(None, description="Traps of the serial register")
    local_offset: LocalOffset | None = Field(None, description="Offset that pixels leave behind")
    persistence: Persistence | None = Field(None, description="Persistence")
    crosstalk: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Coefficients by victim and aggressor: channels of one detector"
    )
    noise_correlation: Fraction = Field(
        0.0, description="Correlation of the read noise of any two channels of a detector"
    )
    glow: Glow | None = Field(None, description="Glow of the amplifier")
    leak: Leak | None = Field(None, description="Leak of light")
    pattern: Pattern | None = Field(None, description="Pattern noise")
    tearing: float | dict[str, float] = Field(
        0.0, description="Part of its charge that the last column read has lost to the one before"
    )
    code_widths: float = Field(
        0.0,
        ge=0,
        le=0.3,
        description="Scatter of the widths of the converter's codes, rms [steps]; two together are as wide as two",
    )
    lamp: Lamp = Field(default_factory=lambda: Lamp(), description="Lamp and shutter")
    spots: Spots | None = Field(None, description="Spots of point exposures")
    muons: Muons | None = Field(None, description="Cosmic rays, instead of the key cosmic_rate of the truth")
    defects: Defects = Field(default_factory=lambda: Defects(), description="Further defects")

    @property
    def of_readout(self) -> bool:
        """Whether anything happens to charge on its way out."""
        return bool(
            self.non_linearity
            or self.serial_cti
            or self.parallel_cti
            or self.traps
            or self.local_offset
            or self.crosstalk
            or self.pattern
        )


BY_CHANNEL = ("non_linearity", "serial_cti", "parallel_cti", "tearing")
"""Effects that may be given by channel; a channel that is not named has none."""


TABLES: Mapping[str, type[Strict]] = {
    "brighter_fatter": BrighterFatter, "traps": Traps, "local_offset": LocalOffset, "persistence": Persistence, "glow": Glow, "leak": Leak, "pattern": Pattern, "lamp": Lamp, "spots": Spots,
    "muons": Muons, "defects": Defects,
}  # fmt: skip
"""Effects that are tables of their own."""


def of_channel(value: Value | Mapping[str, Value], channel: str, default: Value) -> Value:
    """An effect's value for a channel."""
    return value.get(channel, default) if isinstance(value, Mapping) else value
