"""What ``[simulate]`` of ``campaign.toml`` may say: truth, plan and planted faults, typed and validated."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from builder.simulate.effects_settings import Effects, Strict

FrameType = Literal["bias", "dark", "flat", "point"]

PerChannel = float | dict[str, float | dict[str, float]]
"""One number for all, or by detector, or by detector and channel."""

FaultKind = Literal[
    "missing-frame", "wrong-exposure-time", "wrong-header-time", "wrong-log-time", "swapped-setting",
    "truncated", "empty", "foreign", "wrong-shape", "nan-pixels", "saturated", "noisy-channel",
    "lamp-drift", "flicker", "clamped-converter", "offset-step", "bias-jump", "stuck-bit",
]  # fmt: skip

FAULTS: dict[str, tuple[float, str]] = {
    "missing-frame": (0.0, "the file is not written; the log still has it"),
    "wrong-exposure-time": (0.5, "the shutter was open for amount × the time that header and log state"),
    "wrong-header-time": (2.0, "the header states amount × the true time; the log states the true one"),
    "wrong-log-time": (2.0, "the exposure log states amount × the true time"),
    "swapped-setting": (0.0, "the filter wheel stood at wavelength amount; header and log say so"),
    "truncated": (0.6, "the file ends after the fraction amount of its bytes"),
    "empty": (0.0, "the file has no bytes"),
    "foreign": (0.0, "the file holds text instead of FITS"),
    "wrong-shape": (10.0, "the image lacks its last amount rows"),
    "nan-pixels": (20.0, "the image is float32 and amount of its pixels are NaN"),
    "saturated": (10.0, "amount × the light that was asked for"),
    "noisy-channel": (2.0, "amount × the read noise"),
    "lamp-drift": (0.05, "the light differs by the fraction amount"),
    "flicker": (0.02, "each row's light scatters by the fraction amount (rms)"),
    "clamped-converter": (40000.0, "the converter gives no more than amount [ADU]"),
    "offset-step": (
        -5.0,
        "image pixels lie amount [ADU] above the overscan, as if the current were negative",
    ),
    "bias-jump": (4.0, "from the middle of the rows on, the level is amount [ADU] higher"),
    "stuck-bit": (0.0, "bit amount of the converter (0 the lowest) is always set"),
}
"""Kinds of planted faults: the default of ``amount`` and what is done."""

BY_CHANNEL = frozenset({"noisy-channel", "clamped-converter", "offset-step", "bias-jump", "stuck-bit"})
"""Kinds that may strike a single channel."""


class Truth(Strict):
    """What the detectors and the lamp really are."""

    gain: PerChannel = Field(3.3, description="Gain [e⁻/ADU]")
    read_noise: PerChannel = Field(4.5, description="Read noise, rms [e⁻]")
    offset: PerChannel = Field(2700.0, description="Offset of the converter [ADU]")
    dark_current: PerChannel = Field(0.0, description="Dark current [e⁻/s per pixel]")
    full_well: PerChannel = Field(190_000.0, description="Charge at which a pixel is full [e⁻]")
    scatter: float = Field(
        0.01, ge=0, lt=0.5, description="Spread of channels about a common value (fraction); 0 for none"
    )
    prnu: float = Field(0.01, ge=0, lt=0.3, description="Photo-response non-uniformity, rms (fraction)")
    a00: float = Field(0.0, le=0, description="Brighter-fatter coefficient of the variance [1/e⁻], 0 or less")
    hot_pixels: int = Field(0, ge=0, description="Hot pixels per channel")
    hot_current: float = Field(20.0, ge=0, description="Mean dark current of hot pixels [e⁻/s]")
    dead_pixels: int = Field(0, ge=0, description="Dead pixels per channel: less than a third responds")
    bad_columns: int = Field(0, ge=0, description="Bad columns per channel: they respond by less than half")
    cosmic_rate: float = Field(0.0, ge=0, description="Cosmic-ray tracks per second and million pixels")
    gradient: float = Field(0.0, description="Illumination: change from left to right (fraction)")
    vignetting: float = Field(0.0, ge=0, lt=1, description="Illumination: loss at the corners (fraction)")
    structure: float = Field(
        0.0, description="Amplitude of the fixed row ramp and line-start transient [ADU]"
    )
    temperature: float = Field(-120.0, description="Detector temperature [°C]")
    lamp: dict[str, float] = Field(
        default_factory=dict, description="Light of the flat lamp by wavelength [ADU/s at the common gain]"
    )
    effects: Effects = Field(
        default_factory=lambda: Effects(), description="What else detectors, electronics and lamp do"
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> Truth:
        if self.a00 and self.effects.brighter_fatter:
            raise ValueError("says both a00 and effects.brighter_fatter")
        if self.cosmic_rate and self.effects.muons:
            raise ValueError("says both cosmic_rate and effects.muons")
        return self


class Fault(Strict):
    """A planted fault: where it strikes and how strongly. What is left out means all."""

    kind: FaultKind = Field(description="What goes wrong")
    frame: int | None = Field(None, ge=1, description="Which exposure of the test, from 1")
    detector: str | None = Field(None, description="The detector")
    channel: str | None = Field(None, description="The channel")
    amount: float | None = Field(None, description="How much, as the kind needs it")
    block: str | None = Field(None, description="The block, where a plan entry serves several")
    test: str | None = Field(None, description="The test; needed in [[simulate.faults]]")

    @property
    def strength(self) -> float:
        """The amount, or the kind's default."""
        return FAULTS[self.kind][0] if self.amount is None else self.amount


Times = Annotated[float, Field(ge=0)]


class Part(Strict):
    """Frames of one type and light."""

    type: FrameType = Field(description="bias, dark, flat or point")
    frames: int = Field(1, ge=1, le=10_000, description="Frames of each exposure time")
    exptime: Times | tuple[Times, ...] = Field(0.0, description="Exposure time, or several [s]")
    wavelength: str = Field("", coerce_numbers_to_str=True, description="Filter: a key of lamp")

    @property
    def times(self) -> tuple[float, ...]:
        """Exposure times [s], in order."""
        return self.exptime if isinstance(self.exptime, tuple) else (self.exptime,)


class Entry(Strict):
    """One test of the plan: all its exposures, numbered from ``first``."""

    block: str = Field("", description="The block")
    blocks: tuple[str, ...] = Field((), description="Several blocks that took the same test alike")
    test: str = Field(description="Name of the test")
    first: int | None = Field(
        None, ge=0, description="Number of the first exposure; by default the next after the test before it"
    )
    type: FrameType | None = Field(None, description="Type of its frames")
    frames: int = Field(1, ge=1, le=10_000, description="Frames of each exposure time")
    exptime: Times | tuple[Times, ...] = Field(0.0, description="Exposure time, or several [s]")
    wavelength: str = Field("", coerce_numbers_to_str=True, description="Filter: a key of lamp")
    parts: tuple[Part, ...] = Field((), description="Instead of type …: frames of several types, in order")
    interleave: bool = Field(False, description="One frame of each exposure time in turn")
    start: datetime | None = Field(None, description="When it began; by default after the test before it")
    faults: tuple[Fault, ...] = Field((), description="What goes wrong")

    @model_validator(mode="after")
    def _complete(self) -> Entry:
        if not self.block and not self.blocks:
            raise ValueError("says neither block nor blocks")
        if (self.type is None) == (not self.parts):
            raise ValueError("needs either type or parts")
        return self

    @property
    def all_blocks(self) -> tuple[str, ...]:
        """The blocks that took it."""
        return tuple(dict.fromkeys((*((self.block,) if self.block else ()), *self.blocks)))

    @property
    def all_parts(self) -> tuple[Part, ...]:
        """Its parts; the entry itself as one when it has no parts."""
        if self.parts or self.type is None:
            return self.parts
        return (Part(type=self.type, frames=self.frames, exptime=self.exptime, wavelength=self.wavelength),)

    def __len__(self) -> int:
        """How many exposures it takes."""
        return sum(part.frames * len(part.times) for part in self.all_parts)


class Settings(Strict):
    """The whole of ``[simulate]``."""

    seed: int = Field(0, ge=0, description="Seed of all random numbers")
    on_build: bool = Field(False, description="Write absent frames at each build")
    overhead: float = Field(
        97.0, ge=0, description="Time that an exposure takes beside its exposure time [s]"
    )
    truth: Truth = Field(default_factory=lambda: Truth(), description="What the detectors really are")
    blocks: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Keys of truth that differ in a block"
    )
    plan: tuple[Entry, ...] = Field((), description="The tests")
    faults: tuple[Fault, ...] = Field((), description="Faults by test")

    def truth_of(self, block: str) -> Truth:
        """The truth of a block: the common one with the block's own keys laid over it."""
        own = self.blocks.get(block, {})
        return merged(self.truth, own) if own else self.truth


def merged(truth: Truth, own: dict[str, Any]) -> Truth:
    """A truth with some keys replaced; lamp wavelengths add to the common ones. Raises ValidationError."""
    base = truth.model_dump()
    lamp = (
        {**base["lamp"], **own["lamp"]}
        if isinstance(own.get("lamp"), dict)
        else own.get("lamp", base["lamp"])
    )
    return Truth.model_validate({**base, **own, "lamp": lamp})
