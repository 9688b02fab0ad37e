"""Header mappings as data: for each kind of camera, which keywords fill which field, and what types mean.

A campaign starts from one of these and overrides what differs (``[data]`` in campaign.toml). Keywords are
tried in order, the first that is there counts; '{n}' stands for the number at the end of the detector's
name. Frame types come from the type keyword by pattern, first match first; where it says nothing, from the
rules below, and the frame says which rule it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from campaign.frozen import dataclass

TYPES = ("bias", "dark", "flat", "point", "other")
VAGUE = "light"
"""What a type keyword means that only says that the shutter opened: the file name may know more."""


@dataclass(frozen=True)
class TypeRule:
    """Gives a type to a frame that states none, when all its conditions hold.

    ``exptime`` is 'zero' or 'positive'; ``shutter`` the shutter's state; ``source`` patterns of the light
    source; ``keyword`` a header keyword or log column that must be a number other than 0. ``why`` is shown.
    """

    type: str
    why: str
    exptime: str = ""
    shutter: bool | None = None
    source: tuple[str, ...] = ()
    keyword: str = ""


@dataclass(frozen=True)
class Preset:
    """One header mapping. ``clock`` are keywords of the time where the date is kept apart."""

    fields: Mapping[str, tuple[str, ...]]
    types: Mapping[str, str]
    clock: tuple[str, ...] = ()
    rules: tuple[TypeRule, ...] = ()
    file_name: str = ""
    logs: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_TYPES: Mapping[str, str] = {
    "*bias*": "bias",
    "*zero*": "bias",
    "*dark*": "dark",  # before flat: a 'flat dark' is a dark
    "*flat*": "flat",
    "*point*": "point",
    "*psf*": "point",
    "light*": VAGUE,
    "normal*": VAGUE,
    "*object*": "other",
    "*science*": "other",
    "*stand*": "other",
    "*sky*": "other",
    "*focus*": "other",
    "*arc*": "other",
    "*comp*": "other",
    "*lamp*": "other",
    "*test*": "other",
}

_LOG_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "exposure": ("ObsID", "EXPNUM", "Exposure"),
    "detector": ("CCD", "Detector"),
    "exptime": ("Exptime",),
    "date": ("DATE",),
    "test": ("TEST",),
    "program": ("PROGRAM",),
    "object": ("OBJECT",),
    "wavelength": ("wave", "Wavelength", "Filter"),
    "temperature": ("R1C{n}_TT", "R1CCD{n}TT"),
    "mode": ("rdmode",),
    "serial": ("sn_ccd{n}", "CCD{n}_SN"),
    "operator": ("Operator",),
    "shutter": ("shuttr",),
    "source": ("source",),
}

GENERIC = Preset(
    fields={
        "exposure": ("EXPNUM", "OBSID", "OBS_ID", "EXPID", "ESO DET EXP NO"),
        "detector": ("DETECTOR", "DETNAME", "DET_NAME", "CCDNAME", "CCDID", "CCD", "CHIP", "CCDNUM"),
        "type": ("IMAGETYP", "OBSTYPE", "IMTYPE", "FRAME", "FRAMETYP", "ESO DPR TYPE", "PICTTYPE"),
        "exptime": ("EXPTIME", "EXPOSURE", "EXPOSURE-TIME", "EXP_TIME", "EXP-TIME", "EXPTIM", "ITIME"),
        "date": ("DATE-OBS", "DATE_OBS", "DATEOBS", "DATE-BEG", "MJD-OBS"),
        "test": ("TEST", "TESTNAME"),
        "program": ("PROGRAM", "PROPID", "ESO OBS PROG ID"),
        "object": ("OBJECT",),
        "wavelength": ("WAVELEN", "WAVELENG", "WAVE", "FILTER", "FILTER1", "FILTNAM"),
        "temperature": ("CCD-TEMP", "CCDTEMP", "DETTEMP", "TEMPERAT", "SET-TEMP"),
        "mode": ("RDMODE", "READMODE", "READOUTM", "ESO DET READ CLOCK"),
        "serial": ("SERIALNO", "SERIAL", "DETSERNO", "CCDSERNO"),
        "operator": ("OPERATOR", "OBSERVER"),
        "shutter": ("SHUTTER", "SHUTOPEN", "SHUTSTAT"),
        "source": ("SOURCE", "LAMP", "LIGHTSRC"),
    },
    types=_TYPES,
    clock=("TIME-OBS", "TIME_OBS", "UT", "UTC-OBS", "UT-OBS", "UTSTART", "UTC"),
    columns=_LOG_COLUMNS,
)

EUCLID_VIS = Preset(
    fields={
        "exposure": ("OBSID",),
        "detector": ("CCD",),
        "type": ("IMAGETYP", "OBSTYPE"),
        "exptime": ("EXPTIME",),
        "date": ("DATE", "DATE-OBS"),
        "test": ("TEST",),
        "program": ("PROGRAM",),
        "object": ("OBJECT",),
        "wavelength": ("WAVE", "WAVELENG"),
        "temperature": ("R1C{n}_TT", "R1CCD{n}TT", "CCD-TEMP"),
        "mode": ("RDMODE",),
        "serial": ("SN_CCD{n}", "SN_CCD", "CCD{n}_SN"),
        "operator": ("OPERATOR",),
        "shutter": ("SHUTTR",),
        "source": ("SOURCE",),
    },
    types=_TYPES,
    rules=(
        TypeRule("other", "charge was injected (CHINJ)", keyword="CHINJ"),
        TypeRule("bias", "the exposure time is 0", exptime="zero"),
        TypeRule("dark", "the shutter was closed", exptime="positive", shutter=False),
        TypeRule("dark", "the light source was off", exptime="positive", source=("off", "none", "dark*")),
        TypeRule("flat", "the light source was flat", exptime="positive", source=("flat*", "ff*")),
        TypeRule("point", "the light source was a point", exptime="positive", source=("point*", "psf*")),
    ),
    file_name=r"EUC_(?P<exposure>\d+)_(?P<date>\d{6}D\d{6}T)_ROE\d+_(?P<detector>CCD\d+)",
    logs=("EXP_LOG_*.txt",),
    columns=_LOG_COLUMNS,
)

DECAM = Preset(
    fields={
        "exposure": ("EXPNUM",),
        "detector": ("DETPOS", "EXTNAME", "CCDNUM"),
        "type": ("OBSTYPE", "IMAGETYP"),
        "exptime": ("EXPTIME", "EXPREQ"),
        "date": ("DATE-OBS", "MJD-OBS"),
        "test": ("TEST",),
        "program": ("PROPID", "PROGRAM"),
        "object": ("OBJECT",),
        "wavelength": ("FILTER", "BAND"),
        "temperature": ("CCDTEMP",),
        "serial": ("SERIALNO",),
        "operator": ("OBSERVER",),
    },
    types=_TYPES,
    clock=("TIME-OBS",),
    columns=_LOG_COLUMNS,
)

PRESETS: Mapping[str, Preset] = {"generic": GENERIC, "euclid-vis": EUCLID_VIS, "decam": DECAM}
