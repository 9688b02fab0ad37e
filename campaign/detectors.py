"""Detectors with their geometry resolved, from the presets and the campaign's own numbers."""

from __future__ import annotations

import inspect
from dataclasses import replace

from campaign.checked import suggestion
from campaign.findings import Finding
from campaign.geometry import PRESETS, Geometry, with_gains
from campaign.located import Entry
from campaign.model import CampaignFile, Detector, DetectorSpec, GeometrySpec


def geometry_of(name: str, spec: GeometrySpec) -> Geometry:
    """The geometry that a table describes. Raises ValueError, saying what is wrong, in words."""
    preset = PRESETS.get(spec.preset)
    if preset is None:
        raise ValueError(f"preset {spec.preset!r} is not one of {', '.join(PRESETS)}")
    takes = inspect.signature(preset).parameters
    given = {
        key: value
        for key in ("rows", "columns", "prescan", "overscan", "parallel")
        if (value := getattr(spec, key)) is not None
    }
    alien = [key for key in given if key not in takes]
    if alien:
        raise ValueError(f"preset {spec.preset!r} does not take {', '.join(alien)}")
    needed = [k for k, p in takes.items() if p.default is p.empty and k not in given]
    if needed:
        raise ValueError(f"preset {spec.preset!r} needs {' and '.join(needed)}")
    geometry = preset(name, **given)
    return geometry if spec.saturation is None else replace(geometry, saturation=spec.saturation)


def resolve(entry: Entry[CampaignFile]) -> tuple[tuple[Detector, ...], list[Finding]]:
    """The campaign's detectors in the order of the file, and what kept others from being used."""
    findings: list[Finding] = []
    geometries: dict[str, Geometry] = {}
    for name, spec in entry.value.geometry.items():
        try:
            geometries[name] = geometry_of(name, spec)
        except ValueError as error:
            where = entry.where("geometry", name)
            findings.append(
                Finding("bad-value", f"geometry {name!r} is not used: {error}", where, "correct it")
            )
    detectors: list[Detector] = []
    for name, detector in entry.value.detectors.items():
        geometry = geometries.get(detector.geometry) or _preset(entry, name, detector, findings)
        if geometry is not None:
            gains = _gains(entry, name, detector, geometry, findings)
            detectors.append(
                Detector(
                    name=name,
                    geometry=with_gains(geometry, gains),
                    hdu=detector.hdu,
                    hardware=detector.hardware,
                )
            )
    return tuple(detectors), findings


def _preset(
    entry: Entry[CampaignFile], name: str, detector: DetectorSpec, findings: list[Finding]
) -> Geometry | None:
    """The geometry of a detector that names a preset and not a table of the file."""
    where = entry.where("detectors", name, "geometry")
    wanted, known = detector.geometry, [*entry.value.geometry, *PRESETS]
    if wanted in PRESETS and wanted not in entry.value.geometry:
        try:
            return geometry_of(wanted, GeometrySpec(preset=wanted))
        except ValueError as error:
            what = f"detector {name!r} is not used: {error}"
            todo = f"write a [geometry.{name}] table with preset = {wanted!r} and these numbers, and name it"
            findings.append(Finding("bad-value", what, where, todo, detector=name))
            return None
    what = f"detector {name!r} is not used: its geometry {wanted!r} is not there, or not usable"
    findings.append(Finding("unknown-name", what, where, suggestion(wanted, known), detector=name))
    return None


def _gains(
    entry: Entry[CampaignFile],
    name: str,
    detector: DetectorSpec,
    geometry: Geometry,
    findings: list[Finding],
) -> dict[str, float]:
    """The nominal gains that can be used [e⁻/ADU], by channel."""
    channels = [channel.name for channel in geometry.channels]
    gains: dict[str, float] = {}
    for channel, gain in detector.gain.items():
        where = entry.where("detectors", name, "gain", channel)
        if channel not in channels:
            what = f"detector {name!r} has no channel {channel!r}; its gain is not used"
            findings.append(
                Finding("unknown-name", what, where, suggestion(channel, channels), detector=name)
            )
        elif gain <= 0:
            what = f"the gain of channel {channel} of {name!r} is {gain:g}; it is not used"
            findings.append(Finding("bad-value", what, where, "it must be greater than 0", detector=name))
        else:
            gains[channel] = gain
    return gains
