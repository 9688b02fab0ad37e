"""From a file's raw headers to its frames: detector, block, fields and their sources, shape against geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import PurePosixPath

from builder.acquired.blockfolders import BlockFolders
from builder.acquired.explog import FILE, LogBook, Row, read_row, stem
from builder.acquired.fitsfile import Hdu
from builder.acquired.frametypes import frame_type
from builder.acquired.headers import HeaderMap, Said, combine, read_header, read_name
from builder.acquired.headervalues import exposure_name
from builder.acquired.layout import Held, fits, held_images
from builder.acquired.shared import Shared
from builder.acquired.tally import Tally
from campaign.frames import Frame, FrameFile
from campaign.frozen import dataclass
from campaign.model import Campaign, Detector

STEM = "file name (stem)"
"""The source of an exposure's name that no header, log or expression gives."""


def log_cards(row: Mapping[str, str]) -> dict[str, str]:
    """A row of a log as cards beside those of the header."""
    return {f"LOG {column}": text for column, text in row.items()}


class Logged:
    """What exposure logs say of frames, as cards 'LOG <column>'; {} where none does.

    A frame is known by its file and detector, which stay when it is told apart from others.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Row] = {}

    def add(self, frame: Frame, row: Row) -> None:
        """The row of a frame."""
        self._rows[frame.file.root, frame.file.path, frame.detector] = row

    def __call__(self, frame: Frame) -> Mapping[str, str]:
        """What a log says of a frame."""
        return log_cards(self._rows.get((frame.file.root, frame.file.path, frame.detector), {}))


@dataclass
class Framer:
    """Makes frames of indexed files. Oddities are counted in ``tally``; ``logged`` takes what logs say of the frames."""

    campaign: Campaign
    mapping: HeaderMap
    logs: LogBook
    folders: BlockFolders
    tally: Tally
    shared: Shared = field(default_factory=Shared)
    logged: Logged = field(default_factory=Logged)

    def frames(self, file: FrameFile, hdus: Sequence[Hdu], block: str) -> tuple[FrameFile, list[Frame]]:
        """The frames of a file, and the file with state 'wrong-shape' when none of its images can be used."""
        place = f"{file.root}/{file.path}"
        detectors = self._detectors(block)
        images, left = held_images(hdus, detectors, self.mapping)
        if not images:
            return self._without_image(file, left, place, block), []
        if left:
            self.tally.add("unknown-header", "Image extensions that belong to no detector of the campaign were passed over",
                           place, detail=", ".join(left[:5]), block=block,
                           todo="Say in [detectors] which hdu holds which detector, if they are needed.")  # fmt: skip
        found = [self._frame(file, held, block, place) for held in images]
        good, reason = [], ""
        for frame in found:
            wrong = self._wrong_shape(frame, hdus)
            if wrong:
                reason = wrong
                self.tally.add("wrong-shape", f"The image of {frame.detector} {wrong}; it is not used", place, block=block,
                               detector=frame.detector or None,
                               todo="Correct the geometry of the detector, or move the file elsewhere.")  # fmt: skip
            else:
                good.append(frame)
        if not good:
            file = replace(file, state="wrong-shape", reason=f"its image {reason}")
        return file, [replace(f, file=file) for f in good] if file.state != "ok" else good

    def _detectors(self, block: str) -> Sequence[Detector]:
        known = self.campaign.block(block) if block else None
        return self.campaign.detectors_of(known) if known else self.campaign.detectors

    def _without_image(self, file: FrameFile, left: list[str], place: str, block: str) -> FrameFile:
        what = "several images, none of which names a detector" if left else "no image"
        self.tally.add("wrong-shape", f"The file holds {what}; it is not used", place, block=block,
                       todo="Say in [detectors] which hdu holds which detector, or add the file to [data] ignore.")  # fmt: skip
        return replace(file, state="wrong-shape", reason=f"the file holds {what}")

    def _wrong_shape(self, frame: Frame, hdus: Sequence[Hdu]) -> str:
        detector = self.campaign.detector(frame.detector)
        if detector is None:
            return ""
        for number in frame.hdus.values():
            if not fits(hdus[number].shape, detector.geometry):
                has = " × ".join(map(str, hdus[number].shape))
                wants = " × ".join(map(str, detector.geometry.shape))
                return f"has shape {has} (rows × columns) instead of {wants}"
        return ""

    def _frame(self, file: FrameFile, held: Held, block: str, place: str) -> Frame:
        name = file.path.rpartition("/")[2]
        from_name = read_name(self.mapping, name)
        detector, told_by = told_detector(self.mapping, held, from_name)
        header = read_header(self.mapping, held.cards, held.quoted, detector, place, block, self.tally)
        if told_by.startswith("only detector"):
            self._strange(header.get("detector"), place, block)
        cards: Mapping[str, str] = held.cards
        row: Row | None = None
        exposure = str((header.get("exposure") or from_name.get("exposure") or Said("", "", "")).value)
        sources = [header]
        if logged := self.logs.row(place, exposure, detector):
            row, log = logged
            sources.append(read_row(self.mapping, row, log, detector))
            cards = {**cards, **log_cards(row)}
            self._same_file(row.get(log.column(*FILE), ""), name, place, block)
        sources.append(from_name)
        said = combine(self.mapping, sources, place, block, self.tally)
        fields = {k: s.value for k, s in said.items()}
        by = {k: s.source for k, s in said.items()}
        fields["type"], by["type"] = frame_type(self.mapping, sources, said, cards, place, block, self.tally)
        if "exposure" not in said:
            fields["exposure"], by["exposure"] = stem_of(name), STEM
            self.tally.add("unknown-header", "No header names the exposure, so the file's name does", place, block=block,
                           todo="Name the keyword in [data.fields] exposure, or a group 'exposure' in file_name.")  # fmt: skip
        fields["detector"], by["detector"] = self._settled(
            said.get("detector"), detector, told_by, place, block
        )
        alike = self.shared
        fields = alike.fields(fields)
        exposure, chip = str(fields["exposure"]), str(fields["detector"])
        hdus, sources_by = alike.mapping(held.hdus), alike.mapping(by)
        frame = Frame(f"{exposure}/{chip}", exposure, chip, file, hdus, fields, sources_by, block)
        if row is not None:
            self.logged.add(frame, row)
        return frame

    def _settled(
        self, said: Said | None, detector: str, told_by: str, place: str, block: str
    ) -> tuple[str, str]:
        """The frame's detector; where none of the campaign is named, what the header says stands, with a finding."""
        if detector:
            return detector, told_by
        todo = "Add it to [detectors], name the keyword in [data.fields] detector, or set [data] detector."
        if said is not None and (name := self.mapping.detector(said.text)):
            return name, said.source
        if said is not None:
            self.tally.add("unknown-name", f"The {said.source} names a detector that the campaign does not have", place,
                           detail=said.text.strip()[:40], block=block, todo=todo)  # fmt: skip
            return said.text.strip(), said.source
        self.tally.add("unknown-header", "Nothing names the detector, so the frame is not measured", place,
                       block=block, todo=todo)  # fmt: skip
        return "", "not known"

    def _strange(self, said: Said | None, place: str, block: str) -> None:
        if said is not None and self.mapping.detector(said.text) is None:
            self.tally.add("unknown-header", f"The {said.source} names a detector that the campaign does not have; its only one is meant",
                           place, detail=said.text.strip()[:40], block=block,
                           todo="Set [data] detector to say so, or correct [detectors].")  # fmt: skip

    def _same_file(self, logged: str, name: str, place: str, block: str) -> None:
        if logged and stem(logged) != stem(name):
            self.tally.add("contradiction", "The exposure log gives the frame another file name", place, detail=logged,
                           block=block, todo="Find out whether the file was renamed or the log is wrong.", apart=12)  # fmt: skip

    def named_apart(self, frames: Sequence[Frame]) -> tuple[Frame, ...]:
        """The frames, those with the same file-name exposure in different folders told apart by their folders."""
        stems = [f for f in frames if f.sources["exposure"] == STEM]
        count = Counter((f.block, f.id) for f in stems)
        clashing = {k for k, n in count.items() if n > 1}
        return tuple(
            _with_folder(f) if f.sources["exposure"] == STEM and (f.block, f.id) in clashing else f
            for f in frames
        )


def told_detector(mapping: HeaderMap, held: Held, from_name: Mapping[str, Said]) -> tuple[str, str]:
    """(detector, what told it), before a log is known: layout, header, file name, setting, the only one; '' if none does."""
    if held.detector:
        return held.detector, held.source
    for word in mapping.keywords("").get("detector", ()):
        if name := mapping.detector(held.cards.get(word, "")):
            return name, f"header {word}"
    if (said := from_name.get("detector")) and (name := mapping.detector(said.text)):
        return name, said.source
    if mapping.always:
        return mapping.always, "setting [data] detector"
    if len(mapping.detectors) == 1:
        return mapping.detectors[0], "only detector of the campaign"
    return "", ""


@dataclass(frozen=True)
class Holdings:
    """Which detectors' images a file holds, as far as its headers and name tell: what a worker needs to know to read it.

    Frames whose detector only a log tells, and images of another shape than the detector's, are left out.
    """

    mapping: HeaderMap
    detectors: tuple[Detector, ...]
    by_block: Mapping[str, tuple[Detector, ...]]

    @classmethod
    def of(cls, campaign: Campaign, mapping: HeaderMap) -> Holdings:
        """As a campaign's folder says."""
        by_block = {b.id: tuple(campaign.detectors_of(b)) for b in campaign.blocks}
        return cls(mapping, tuple(campaign.detectors), by_block)

    def images(
        self, file: FrameFile, hdus: Sequence[Hdu], block: str
    ) -> list[tuple[Detector, Mapping[str, int]]]:
        """(detector, its HDUs by channel) of the images that are its own and have its shape."""
        out: list[tuple[Detector, Mapping[str, int]]] = []
        from_name = read_name(self.mapping, file.path.rpartition("/")[2])
        for held in held_images(hdus, self.by_block.get(block, self.detectors), self.mapping)[0]:
            name, _ = told_detector(self.mapping, held, from_name)
            detector = next((d for d in self.detectors if d.name == name), None)
            if detector and all(fits(hdus[n].shape, detector.geometry) for n in held.hdus.values()):
                out.append((detector, held.hdus))
        return out


def _with_folder(frame: Frame) -> Frame:
    folder = str(PurePosixPath(frame.file.path).parent)
    exposure = frame.exposure if folder == "." else f"{folder.replace('/', ':')}:{frame.exposure}"
    fields = {**frame.fields, "exposure": exposure}
    return replace(frame, id=f"{exposure}/{frame.detector}", exposure=exposure, fields=fields)


def stem_of(name: str) -> str:
    """A file's name without its FITS endings, as an exposure's name."""
    plain = name
    for end in (".gz", ".fz", ".fits", ".fit", ".fts"):
        if plain.lower().endswith(end) and len(plain) > len(end):
            plain = plain[: -len(end)]
    return exposure_name(plain) if plain.isascii() else plain
