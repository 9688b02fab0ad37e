"""Names, folders and headers of simulated frames, as two kinds of acquisition system write them."""

from __future__ import annotations

from builder.simulate.plan import Exposure
from builder.simulate.settings import Truth
from campaign.frozen import dataclass
from campaign.model import Block, Campaign
from campaign.names import slug

Card = str | int | float

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PROGRAM, ROE = "CALCAMP", "ROE1"


@dataclass(frozen=True)
class Style:
    """How a campaign's frames are named and labelled: as of Euclid VIS, or plainly."""

    euclid: bool

    @classmethod
    def of(cls, campaign: Campaign) -> Style:
        """The style that the campaign's header preset reads."""
        return cls(campaign.data.preset == "euclid-vis")

    def folder(self, exposure: Exposure) -> str:
        """The folder of an exposure within its block's: a day folder ('11_Mar_19'), or none."""
        return day_folder(exposure) if self.euclid else ""

    def file_name(self, exposure: Exposure, detector: str, several: bool) -> str:
        """The file's name; plain names carry the detector only where there are several."""
        if self.euclid:
            return f"{stem(exposure, detector)}.fits"
        end = f"_{slug(detector)}" if several else ""
        return f"{slug(exposure.test)}_{exposure.number:05d}{end}.fits"

    def cards(self, exposure: Exposure, block: Block, detector: str, truth: Truth) -> dict[str, Card]:
        """The header cards of a frame, planted lies included."""
        make = euclid_cards if self.euclid else generic_cards
        return make(exposure, block, detector, truth)


def day_folder(exposure: Exposure) -> str:
    """'11_Mar_19', whatever the locale."""
    day = exposure.begun
    return f"{day.day:02d}_{MONTHS[day.month - 1]}_{day.year % 100:02d}"


def stamp(exposure: Exposure) -> str:
    """'110319D091500T'."""
    return f"{exposure.begun:%d%m%yD%H%M%ST}"


def stem(exposure: Exposure, detector: str) -> str:
    """'EUC_1201_110319D091500T_ROE1_CCD1'."""
    return f"EUC_{exposure.number}_{stamp(exposure)}_{ROE}_{detector}"


def stated_time(exposure: Exposure, detector: str, lie: str = "wrong-header-time") -> float:
    """The exposure time [s] that the header (or, with another ``lie``, the log) states."""
    fault = exposure.strikes(lie, detector)
    return round(exposure.exptime * (fault.strength if fault else 1.0), 6)


def stated_wavelength(exposure: Exposure, detector: str) -> str:
    """The wavelength that header and log state: where the filter wheel really stood."""
    return exposure.light_wavelength(detector)


def temperatures(exposure: Exposure, truth: Truth) -> dict[str, float]:
    """Top and bottom sensors of three detectors [°C]: they differ, and swing slowly."""
    swing = 0.1 * ((exposure.number * 7) % 11 - 5) / 5
    return {
        f"R1C{ccd}_{end}": round(truth.temperature + swing + 0.12 * ccd + (0.3 if end == "TT" else 0.0), 2)
        for ccd in (1, 2, 3)
        for end in ("TT", "TB")
    }


def lamp_state(exposure: Exposure) -> tuple[str, int]:
    """(light source, shutter open or not)."""
    return (exposure.type, 1) if exposure.type in ("flat", "point") else ("off", 0)


def number_or_text(text: str) -> Card:
    """A wavelength as an integer where it is one."""
    return int(text) if text.isdigit() else text


def euclid_cards(exposure: Exposure, block: Block, detector: str, truth: Truth) -> dict[str, Card]:
    """Cards as ELVIS writes them: the columns of the exposure log as keywords."""
    source, shutter = lamp_state(exposure)
    wavelength = stated_wavelength(exposure, detector)
    return {
        "INSTRUME": "VIS",
        "BUNIT": "ADU",
        "PROGRAM": PROGRAM,
        "TEST": exposure.test,
        "OBJECT": exposure.type,
        "OBSID": exposure.number,
        "CCD": detector,
        "ROE": ROE,
        "OPERATOR": "sim",
        "DATE": stamp(exposure),
        "EXPTIME": stated_time(exposure, detector),
        "SHUTTR": shutter,
        "SOURCE": source,
        **({"WAVE": number_or_text(wavelength)} if wavelength else {}),
        "RDMODE": "rwd_bas_v" if exposure.test.startswith("BIAS02") else "fwd_bas",
        "VSTART": 0,
        "VEND": 2086,
        "FLUSHES": 7,
        "SIFLSH": 1,
        "SIFLSH_P": 500,
        "CHINJ": 0,
        "V_TPUMP": 0,
        "S_TPUMP": 0,
        "TOI_FL": 143,
        "TOI_RO": 1000,
        **{f"SN_{item}": block.hardware.get(item, "") for item in ("CCD1", "CCD2", "CCD3", "ROE", "RPSU")},
        "EGSE_VER": "7.5.X",
        "CALSCRPT": f"vis_CalCamp_{exposure.test}_v7.5.X.xlsx",
        "COMMENTS": "simulated",
        **temperatures(exposure, truth),
        "IDL": 13.0,
        "IDH": 18.0,
        "IG1_1_T": 6.0,
        "IG2_T": 2.0,
        "OD_1_T": 26.0,
        "RD_T": 16.0,
    }


def generic_cards(exposure: Exposure, block: Block, detector: str, truth: Truth) -> dict[str, Card]:
    """Cards as a plain camera's software writes them."""
    wavelength = stated_wavelength(exposure, detector)
    return {
        "INSTRUME": "simulated camera",
        "BUNIT": "ADU",
        "IMAGETYP": exposure.type,
        "OBJECT": exposure.type,
        "TEST": exposure.test,
        "EXPNUM": exposure.number,
        "DETECTOR": detector,
        "EXPTIME": stated_time(exposure, detector),
        "DATE-OBS": exposure.begun.isoformat(timespec="seconds"),
        **({"FILTER": wavelength} if wavelength else {}),
        "CCD-TEMP": round(truth.temperature, 2),
        "PROGRAM": block.id,
    }
