"""The contract of a procedure: what it declares, what it is given, and what it hands back.

A procedure is one module with a ``PROCEDURE`` (a declaration) and a function that measures one detector of
one test. Everything on its page, and the check that it keeps its word, comes from the declaration. Nothing
here knows files, pages or databases: pixels come through the ``Pixels`` protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.figures import Figure
from analysis.histogram import Histogram
from campaign.frames import Frame
from campaign.frozen import dataclass
from campaign.geometry import Channel, Region
from campaign.model import Detector

ParameterValue = float | int | bool | str
Class = Literal["performance", "health", "calibration", "engineering"]
Which = Literal["nearest", "latest", "epochs"]

REASONS: dict[str, str] = {
    "not-reached": "the data do not reach the regime in which this could be measured",
    "too-few-frames": "there are fewer frames than the estimator needs",
    "too-few-pixels": "too few good pixels are left",
    "no-overscan": "the detector has no region that gives the offset, and no bias frames were found",
    "no-gain": "no gain is known, so electrons cannot be stated",
    "no-reference": "the reference that this needs was not found",
    "bad-fit": "the fit did not converge or does not describe the data",
    "saturated": "the frames are saturated",
    "unphysical": "the estimate came out outside what is physically possible",
    "exposure-time-unknown": "the exposure time is not known",
    "no-pixel-size": "the size of a pixel is not known, so areas in cm² cannot be stated",
    "time-unknown": "when the frames were taken is not known",
    "temperature-unknown": "the temperature is not known",
    "none-found": "nothing of the kind was found",
    "not-varied": "what this would be told from was the same in all frames",
    "one-channel": "this compares channels, and there is only one",
    "too-few-epochs": "this compares epochs, and there are too few",
}
"""Coded reasons why a value could not be had."""

FLAGS: dict[str, str] = {
    "lamp-drift": "the light changed between the frames of a pair by more than the estimator can correct",
    "flicker": "rows (or columns) of a difference scatter more than pixel noise allows: the light flickered",
    "clamped": "values pile up at one level: the converter clamps or is saturated there",
    "saturated": "some of the pixels used are saturated",
    "negative": "the value is negative by more than its uncertainty, which is not physical",
    "consistent-with-zero": "the value does not differ from zero by more than three of its uncertainty",
    "few-frames": "the uncertainty rests on very few frames",
    "few-levels": "the fit rests on very few light levels",
    "nominal-gain": "converted with the nominal gain, not a measured one",
    "caveated-input": "rests on an input that was flagged itself",
    "poor-fit": "the residuals exceed what the uncertainties allow",
    "bad-pixels": "NaN or infinite pixels were left out",
    "unstable": "frames that should be alike differ by more than their noise",
    "quantised": "the noise is so small that the converter's steps dominate",
}
"""Flags that may stand beside a value. Any of ALARMS turns a clean verdict into a warning."""

ALARMS = frozenset({"lamp-drift", "flicker", "clamped", "saturated", "negative", "poor-fit", "unstable"})


class ContractError(Exception):
    """A procedure produced what it did not declare, or did not produce what it declared."""


@dataclass(frozen=True)
class Parameter:
    """A parameter: default, meaning, unit and allowed range."""

    name: str
    default: ParameterValue
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Role:
    """Frames that a procedure needs, by frame type.

    ``elsewhere`` allows them to come from another test of the block when this test has too few of its own
    (bias frames for a dark test). ``minimum`` 0 makes the role optional. ``every_detector`` gives the frames of all detectors
    of the test, not only those of the one that is measured (crosstalk): each frame names its own.
    """

    name: str
    types: tuple[str, ...]
    minimum: int
    meaning: str
    elsewhere: bool = False
    every_detector: bool = False


@dataclass(frozen=True)
class Use:
    """A quantity of another procedure that this one uses, by channel, from the same block."""

    procedure: str
    quantity: str
    meaning: str


@dataclass(frozen=True)
class Take:
    """A product of another procedure that this one takes, of the same detector and block: a correction, a mask.

    ``which``, where several tests have one: 'nearest' is that of the same test, else of a test of the same setting, else the first
    there is; 'latest' that of the latest test no later than this one, else the first there is; 'epochs' those of all tests, see ``Epoch``.
    With a ``step`` it is taken only where the parameter ``corrections`` names that step: results do not depend on what they do not use, and
    procedures that could correct each other make a circle only where a campaign asks for one.
    """

    procedure: str
    product: str
    meaning: str
    which: Which = "nearest"
    step: str = ""


@dataclass(frozen=True)
class Quantity:
    """A thing measured. ``per`` is 'channel' or 'detector'; ``unplotted`` says why no figure shows it."""

    name: str
    symbol: str
    unit: str
    definition: str
    estimator: str
    kind: Class = "performance"
    per: Literal["channel", "detector"] = "channel"
    unplotted: str = ""


@dataclass(frozen=True)
class PanelSpec:
    """A panel of a figure: what it shows, with axes and units. It stands for one panel, or for one of ``each`` channel (and setting)."""

    caption: str
    each: Literal["figure", "channel", "channel and setting"] = "figure"


@dataclass(frozen=True)
class FigureSpec:
    """A figure: the caption says what to look for, ``panels`` what each panel shows, in order.

    ``shows`` names the quantities that can be read off it, or checked on it.
    """

    name: str
    title: str
    caption: str
    panels: tuple[PanelSpec, ...] = ()
    shows: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProductSpec:
    """A product: a FITS image, an ECSV table, or regions for SAOImage DS9."""

    name: str
    form: Literal["fits", "ecsv", "reg"]
    meaning: str


@dataclass(frozen=True)
class Version:
    """An entry of a procedure's history. A new version re-measures."""

    version: str
    date: str
    change: str


@dataclass(frozen=True)
class Measurement:
    """A value of a quantity, or the coded reason why it could not be had."""

    quantity: str
    channel: str | None
    setting: str
    value: float | None
    uncertainty: float | None
    unit: str
    estimator: str
    n: int
    flags: tuple[str, ...] = ()
    reason: str | None = None
    note: str = ""


@dataclass(frozen=True)
class ImageProduct:
    """An image to be written as FITS, one extension per channel (or one for the detector, key '').

    ``cards`` are header cards (keyword → (value, comment)) beyond those the machine writes itself; ``units`` those of planes that have another than ``unit``.
    """

    planes: Mapping[str, NDArray[np.generic]]
    unit: str
    cards: Mapping[str, tuple[str | float | int | bool, str]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableProduct:
    """A table to be written as ECSV: columns with their units and descriptions."""

    columns: Mapping[str, Sequence[object] | NDArray[np.generic]]
    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RegionProduct:
    """Regions to be written as SAOImage DS9 reads them, each as it writes one: 'box(5,1,1,1,0) # color=red', in pixels from one."""

    regions: Sequence[str]


Product = ImageProduct | TableProduct | RegionProduct
FORMS: Mapping[str, type[Product]] = {"fits": ImageProduct, "ecsv": TableProduct, "reg": RegionProduct}
"""Forms of products by the endings of their files."""


class Pixels(Protocol):
    """Pixels of one frame."""

    def read(
        self, channel: Channel, region: Region, out: NDArray[np.generic] | None = None
    ) -> NDArray[np.generic]:
        """The pixels of a region [ADU], shape ``region.shape``, of ``dtype(channel)``.

        With ``out``, of that shape and of uint16 or float32, they are written there and it is handed back: memory
        used again costs far less than new memory.
        """
        ...

    def dtype(self, channel: Channel) -> np.dtype[np.generic]:
        """The type that ``read`` hands out: uint16 where the file holds that, else float32 or float64."""
        ...


@dataclass(frozen=True)
class ChannelSummary:
    """Statistics of one channel of one frame, from one read. All in ADU; None where there is no such region.

    ``mean``, ``std`` and their like are clipped (see analysis.statistics) with the clip bias corrected.
    ``low_pile`` and ``high_pile`` are the fractions of image pixels at the lowest and highest value found.
    ``details`` names the object in the store that holds the frame's details, '' where none was kept.
    """

    mean: float
    median: float
    std: float
    p01: float
    p99: float
    low: float
    high: float
    low_pile: float
    high_pile: float
    saturated: int
    zeros: int
    not_finite: int
    n: int
    overscan_mean: float | None = None
    overscan_std: float | None = None
    prescan_mean: float | None = None
    prescan_std: float | None = None
    details: str = ""


@dataclass(frozen=True)
class ChannelDetails:
    """What one read of a frame left of one channel, beyond its summary.

    Exact histograms [ADU] of the image, and of the over- and prescan less the columns that ``analysis.offsets`` passes over; None
    where there is no such region or its values are not whole numbers. ``rows`` and ``columns`` are plain means [ADU] along each
    row (shape: rows of the image region) and column of the image, ``overscan_rows`` along each row of the
    overscan's columns; NaN where no pixel was finite.
    """

    image: Histogram | None
    overscan: Histogram | None
    prescan: Histogram | None
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    overscan_rows: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class FrameInput:
    """A frame as a procedure sees it: what is known of it, its summaries by channel, its pixels.

    ``kept`` reads details by the name of their object; without it they are made from the pixels. ``header`` is the raw header, as
    text by keyword, and under 'LOG <column>' what an exposure log says; in a build it is read when it is first looked into.
    """

    frame: Frame
    summaries: Mapping[str, ChannelSummary]
    pixels: Pixels
    kept: Callable[[str], Mapping[str, ChannelDetails]] | None = field(default=None, repr=False)
    header: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    def details(self, channel: Channel) -> ChannelDetails:
        """Histograms and profiles of a channel, as they were kept when the frame was read: no pixel is read for them.

        Where none were kept the channel's regions are read. Raises what ``pixels.read`` raises, and OSError or ValueError when
        the object is gone or damaged.
        """
        name = self.summaries[channel.name].details if channel.name in self.summaries else ""
        if self.kept is not None and name:
            return self.kept(name)[channel.name]
        from analysis.summary import details_from  # which needs this contract

        return details_from(self.pixels, channel)

    def region(
        self,
        channel: Channel,
        name: str = "image",
        *,
        y: tuple[int, int] = (0, 0),
        x: tuple[int, int] = (0, 0),
    ) -> NDArray[np.generic] | None:
        """Pixels of a named region, trimmed; None when the channel has no such region."""
        found = channel.region(name)
        return None if found is None else self.pixels.read(channel, found.trimmed(y, x))


@dataclass(frozen=True)
class Made:
    """What names an array made of frames, so that another procedure may find it made: see ``Inputs.shared``.

    ``what`` says what is done and in which version of doing it ('master bias 1'), ``frames`` of which frames, in order, ``channel`` of which
    of their channels, ``parameters`` all else that the numbers depend on.
    """

    what: str
    frames: tuple[FrameInput, ...]
    channel: Channel
    parameters: tuple[ParameterValue, ...] = ()


@dataclass(frozen=True)
class Epoch:
    """A product that another procedure handed back of one test, to be read when it is needed: see ``Take.which``.

    Epochs are those of every test of the campaign, of whatever block, on the same detector (of the same hardware, where blocks name
    it) that was not taken later than this one: what comes later changes no earlier result. ``time`` [UTC, ISO 8601] is that of the test's first
    frame, '' where it is not known; such a test comes after the one before it in the record. ``measurements`` are all that the
    procedure measured there; ``read`` raises OSError or ValueError when the file is gone or damaged.
    """

    block: str
    test: str
    time: str
    measurements: tuple[Measurement, ...]
    read: Callable[[], Product] = field(compare=False, repr=False)


Shelf = Callable[[Made, Callable[[], NDArray[np.generic]]], NDArray[np.generic]]
"""Hands out an array by its name: one that was made before, else what the callable makes."""


def make_anew(name: Made, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
    """The shelf that keeps nothing."""
    return make()


@dataclass(frozen=True)
class Inputs:
    """What a procedure is given: one detector of one test.

    ``frames`` by role, in order of exposure; ``used`` holds values of other procedures' quantities by
    (procedure, quantity) and channel; ``setting`` is the default setting of the measurements; ``shelf`` is where ``shared`` looks.
    ``products`` read what ``takes`` declares, by (procedure, product), ``epochs`` are those of several tests, the earliest first;
    ``detectors`` are those whose frames there are, by name.
    """

    block: str
    test: str
    detector: Detector
    frames: Mapping[str, tuple[FrameInput, ...]]
    parameters: Mapping[str, ParameterValue]
    used: Mapping[tuple[str, str], Mapping[str, Measurement]] = field(default_factory=dict)
    setting: str = ""
    shelf: Shelf = field(default=make_anew, compare=False, repr=False)
    products: Mapping[tuple[str, str], Callable[[], Product]] = field(default_factory=dict)
    detectors: Mapping[str, Detector] = field(default_factory=dict)
    epochs: Mapping[tuple[str, str], tuple[Epoch, ...]] = field(default_factory=dict)

    def product(self, procedure: str, name: str) -> Product | None:
        """A product of another procedure, as it was handed back; None where there is none. Planes and columns may be read-only.

        Raises OSError or ValueError when its file is gone or damaged.
        """
        read = self.products.get((procedure, name))
        return None if read is None else read()

    def shared(self, name: Made, make: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        """What ``make`` makes, or the same array that another procedure (or an earlier build) made under this name.

        ``make`` must depend on what ``name`` says alone; the array handed out must not be changed.
        """
        return self.shelf(name, make)

    def number(self, parameter: str) -> float:
        """A numeric parameter. Raises TypeError when it is text."""
        value = self.parameters[parameter]
        if isinstance(value, str):
            raise TypeError(f"parameter {parameter} is text, not a number")
        return float(value)


@dataclass(frozen=True)
class Procedure:
    """The declaration of a procedure, and the function that measures.

    ``algorithm`` is paragraphs, those indented by four spaces formulas; ``instruments`` are those it was made for ('' for any),
    ``comments`` tell what else its users should know: coverage, what it cannot see.
    """

    name: str
    title: str
    purpose: str
    history: tuple[Version, ...]
    roles: tuple[Role, ...]
    quantities: tuple[Quantity, ...]
    measure: Callable[[Inputs, Results], None] = field(repr=False)
    algorithm: str = ""
    parameters: tuple[Parameter, ...] = ()
    figures: tuple[FigureSpec, ...] = ()
    products: tuple[ProductSpec, ...] = ()
    uses: tuple[Use, ...] = ()
    takes: tuple[Take, ...] = ()
    acceptance: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The current version: the last of the history."""
        return self.history[-1].version

    def quantity(self, name: str) -> Quantity:
        """The declared quantity of that name. Raises ContractError."""
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise ContractError(f"{self.name} does not declare a quantity {name!r}")

    def taken(self, parameters: Mapping[str, ParameterValue]) -> tuple[Take, ...]:
        """Those of ``takes`` that are taken with these parameters."""
        steps = str(parameters.get("corrections", "")).split()
        return tuple(t for t in self.takes if not t.step or t.step in steps)

    def settings(self, given: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """All parameters: those given over the defaults.

        Raises ContractError for a name that is not declared, a wrong type or a value out of range.
        """
        known = {p.name: p for p in self.parameters}
        for name in given:
            if name not in known:
                raise ContractError(
                    f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}"
                )
        out: dict[str, ParameterValue] = {}
        for parameter in self.parameters:
            value = given.get(parameter.name, parameter.default)
            if isinstance(parameter.default, str) != isinstance(value, str):
                raise ContractError(f"{self.name}.{parameter.name} cannot be {value!r}")
            if not isinstance(value, str):
                too_low = parameter.low is not None and value < parameter.low
                too_high = parameter.high is not None and value > parameter.high
                if too_low or too_high:
                    raise ContractError(
                        f"{self.name}.{parameter.name} = {value} is outside {parameter.low} … {parameter.high}"
                    )
            out[parameter.name] = value
        return out


class Results:
    """Collects what a procedure hands back, and holds it to its declaration."""

    def __init__(self, procedure: Procedure, channels: Sequence[str], setting: str = "") -> None:
        self.procedure = procedure
        self.channels = tuple(channels)
        self.setting = setting
        self.measurements: list[Measurement] = []
        self.figures: dict[str, Figure] = {}
        self.products: dict[str, Product] = {}
        self.absent: dict[str, str] = {}
        self.caveats: list[str] = []
        self.log: list[str] = []

    def value(
        self,
        quantity: str,
        value: float,
        uncertainty: float | None,
        *,
        n: int,
        channel: str | None = None,
        flags: Sequence[str] = (),
        setting: str | None = None,
        estimator: str | None = None,
        note: str = "",
    ) -> None:
        """Hand back a value ± uncertainty. A value that is not finite is an error: use ``missing``."""
        if not np.isfinite(value) or (uncertainty is not None and not np.isfinite(uncertainty)):
            raise ContractError(
                f"{quantity}: {value} ± {uncertainty} is not a number; say why it is missing instead"
            )
        self._add(
            quantity,
            float(value),
            None if uncertainty is None else float(uncertainty),
            n,
            channel,
            flags,
            None,
            setting,
            estimator,
            note,
        )

    def missing(
        self,
        quantity: str,
        reason: str,
        *,
        channel: str | None = None,
        n: int = 0,
        flags: Sequence[str] = (),
        setting: str | None = None,
        estimator: str | None = None,
        note: str = "",
    ) -> None:
        """Hand back that a value could not be had, with a coded reason (see REASONS)."""
        if reason not in REASONS:
            raise ContractError(f"{quantity}: {reason!r} is not a coded reason")
        self._add(quantity, None, None, n, channel, flags, reason, setting, estimator, note)

    def _add(
        self,
        name: str,
        value: float | None,
        uncertainty: float | None,
        n: int,
        channel: str | None,
        flags: Sequence[str],
        reason: str | None,
        setting: str | None,
        estimator: str | None,
        note: str,
    ) -> None:
        quantity = self.procedure.quantity(name)
        if (quantity.per == "channel") != (channel is not None):
            raise ContractError(
                f"{name} is declared per {quantity.per}, but the channel given is {channel!r}"
            )
        if channel is not None and channel not in self.channels:
            raise ContractError(f"{name}: the detector has no channel {channel!r}")
        for flag in flags:
            if flag not in FLAGS:
                raise ContractError(f"{name}: {flag!r} is not a declared flag")
        key = (name, channel, self.setting if setting is None else setting)
        if any((m.quantity, m.channel, m.setting) == key for m in self.measurements):
            raise ContractError(f"{name} was handed back twice for channel {channel}, setting {key[2]!r}")
        self.measurements.append(
            Measurement(
                name,
                channel,
                key[2],
                value,
                uncertainty,
                quantity.unit,
                estimator or quantity.estimator,
                int(n),
                tuple(dict.fromkeys(flags)),
                reason,
                note,
            )
        )

    def figure(self, name: str, figure: Figure) -> None:
        """Hand back a declared figure."""
        if name not in {f.name for f in self.procedure.figures}:
            raise ContractError(f"{self.procedure.name} does not declare a figure {name!r}")
        self.figures[name] = figure

    def product(self, name: str, product: Product) -> None:
        """Hand back a declared product."""
        spec = next((p for p in self.procedure.products if p.name == name), None)
        if spec is None:
            raise ContractError(f"{self.procedure.name} does not declare a product {name!r}")
        if not isinstance(product, FORMS[spec.form]):
            raise ContractError(f"{name} is declared as {spec.form}, which it is not")
        self.products[name] = product

    def without(self, name: str, reason: str, note: str = "") -> None:
        """Say that a declared figure or product could not be had, with a coded reason (see REASONS)."""
        if name not in {f.name for f in self.procedure.figures} | {p.name for p in self.procedure.products}:
            raise ContractError(f"{self.procedure.name} declares no figure or product {name!r}")
        if reason not in REASONS:
            raise ContractError(f"{name}: {reason!r} is not a coded reason")
        self.absent[name] = f"{REASONS[reason]}{': ' + note if note else ''}"

    def caveat(self, text: str) -> None:
        """Raise a caveat about this result, in plain words."""
        self.caveats.append(text)

    def say(self, text: str) -> None:
        """Write a line to the result's log."""
        self.log.append(text)

    def check(self) -> None:
        """Raise ContractError when something declared was not produced."""
        lacking = []
        for quantity in self.procedure.quantities:
            have = {m.channel for m in self.measurements if m.quantity == quantity.name}
            want = set(self.channels) if quantity.per == "channel" else {None}
            if missing := want - have:
                lacking.append(f"{quantity.name} ({', '.join(str(m) for m in sorted(missing, key=str))})")
        lacking += [
            f.name for f in self.procedure.figures if f.name not in self.figures and f.name not in self.absent
        ]
        lacking += [
            p.name
            for p in self.procedure.products
            if p.name not in self.products and p.name not in self.absent
        ]
        if lacking:
            raise ContractError(f"{self.procedure.name} declares but did not produce: {', '.join(lacking)}")
