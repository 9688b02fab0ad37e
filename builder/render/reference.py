"""Pages of the guide that are written by the code itself, so that what they list is what there is.

Each page is MyST text made from the declarations: settings from the models that check them, commands from the
command line, findings, flags and presets from their tables. Nothing here reads a file or a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from analysis.contract import ALARMS, FLAGS, REASONS
from analysis.correction_steps import STEPS, TAKES
from analysis.masks import BITS
from analysis.masks import MEANINGS as OF_BITS
from analysis.procedures import builtin
from builder.acquired.presets import PRESETS, VAGUE, Preset, TypeRule
from builder.expectations import UNJUDGED
from builder.report import SHAPES, Verdict
from campaign.findings import KINDS, Severity
from campaign.frames import FIELDS
from campaign.geometry import PRESETS as GEOMETRIES
from campaign.reference import Setting, settings, settings_of
from campaign.sources.columns import FIELDS as COLUMNS

_SPECIAL = re.compile(r"([\\`*_\[\]<>|$~])")

MEANINGS: dict[Verdict, str] = {
    Verdict.PASS: "every limit that applies is met, and no flag makes the value doubtful",
    Verdict.WARN: "outside a limit of severity warn; or within, but with an alarming flag; or frames are missing",
    Verdict.FAIL: "outside a limit of severity fail",
    Verdict.NOT_EVALUATED: "there is a value but no limit for it; or no value, and the reason is said",
    Verdict.NOT_REACHED: "the data do not reach the regime in which this could be measured, for example full well",
    Verdict.ERROR: "the procedure stopped with an error: its message is on the test's page",
    Verdict.NOT_RUN: "there are no frames, or too few for the procedure",
    Verdict.PLANNED: "not acquired yet",
}
"""What each state of a measurement, a test or a block says to a reader."""


_ROOT = Path(__file__).parents[2]
_MODULES = (
    "analysis/contract.py",
    "analysis/correction_steps.py",
    "analysis/masks.py",
    "analysis/paired_flats_declared.py",
    "analysis/procedures.py",
    "builder/archive/commands.py",
    "builder/archive/report_command.py",
    "builder/certify_command.py",
    "builder/cli.py",
    "builder/acquired/presets.py",
    "builder/expectations.py",
    "builder/report.py",
    "builder/simulate/settings.py",
    "builder/render/reference.py",
    "campaign/block_files.py",
    "campaign/certification.py",
    "campaign/findings.py",
    "campaign/frames.py",
    "campaign/geometry.py",
    "campaign/load.py",
    "campaign/model.py",
    "campaign/reference.py",
    "campaign/sources/columns.py",
)


def reference_sources() -> list[Path]:
    """The modules whose declarations the pages are made of: while these are as they were, so are the pages."""
    analysis = _ROOT / "analysis"
    parameters = [*analysis.glob("*/__init__.py"), *analysis.glob("*/declared.py")]
    return [*(_ROOT / name for name in _MODULES), *sorted(parameters)]


def reference_pages() -> dict[str, str]:
    """The generated pages of the guide: file name → MyST text."""
    makers: dict[str, Callable[[], list[str]]] = {
        "settings.md": _settings,
        "columns.md": _columns,
        "header-presets.md": _presets,
        "commands.md": _commands,
        "findings.md": _findings,
        "flags.md": _flags,
        "masks.md": _masks,
        "measured.md": _not_measured,  # in place of the one that ``make bench`` writes, where it was not run
        "truth.md": _not_simulated,  # the same of ``make truth``
    }
    return {name: "\n\n".join(make()) + "\n" for name, make in makers.items()}


def plain(text: str) -> str:
    """Text as MyST that is shown as it was typed, on one line; what stands in backquotes is code."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # a backquote without a partner
        parts = ["`".join(parts)]
    return "".join(code(part) if n % 2 else _SPECIAL.sub(r"\\\1", part) for n, part in enumerate(parts))


def code(text: str) -> str:
    """Text as code, fit for a cell of a table; '' stays ''."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────


def _settings() -> list[str]:
    from builder.simulate.settings import FAULTS, Settings

    out = [
        "# Settings",
        "Every key that a campaign folder may hold. A key that is not listed here is an error, reported with its file, its "
        "line and the nearest key that there is. `name[]` is an array of tables (`[[name]]`), `name.<name>` a table for each name.",
    ]
    out += _files(settings())
    out += ["## The simulator", "The tables of `[simulate]` in `campaign.toml`; see [](simulate.md)."]
    out += _tables(settings_of("campaign.toml", Settings, "simulate"))
    rows = [
        [code(name), f"{amount:g}", plain(_capital(what)) + "."] for name, (amount, what) in FAULTS.items()
    ]
    out += ["### Kinds of faults", _table(("Kind", "Default amount", "What happens"), rows)]
    return out


def _files(held: Sequence[Setting]) -> list[str]:
    out = []
    for file in dict.fromkeys(s.file for s in held):
        name = "blocks/*.md and blocks/*.rst (front matter)" if file == "blocks/*" else file
        out += [f"## {plain(name)}", *_tables([s for s in held if s.file == file])]
    return out


def _tables(held: Sequence[Setting]) -> list[str]:
    out = []
    for table in dict.fromkeys(s.table for s in held):
        rows = [_row(s) for s in held if s.table == table]
        title = [f"### {plain(table)}"] if table else []
        out += [*title, _table(("Key", "Type", "Default", "Meaning"), rows)]
    return out


def _row(setting: Setting) -> list[str]:
    kind = setting.type
    if kind.startswith("number or table of number or"):
        kind = "number, or numbers by detector, or by detector and channel"
    return [code(setting.key), plain(kind), plain(setting.default) or "required", plain(setting.description)]


# ── record and headers ────────────────────────────────────────────────────────────────────────────────────


def _columns() -> list[str]:
    rows = [[code(field), ", ".join(plain(n) for n in names)] for field, names in COLUMNS.items()]
    return [
        "# Columns of a record",
        "The fields of a test, and the column names by which each is found when the source does not name a column. Case, dashes, "
        "underscores and a unit in brackets do not matter. To name a column, use [`columns`](records.md#columns) of the source.",
        _table(("Field", "Found by itself under"), rows),
    ]


def _presets() -> list[str]:
    out = [
        "# Presets",
        "## Geometry presets",
        "What `preset` of a `[geometry.<name>]` table may be. Numbers that a preset does not take, or that it needs and does not "
        "get, are reported.",
        _table(
            ("Preset", "What it is"),
            [[code(name), plain((make.__doc__ or "").split("\n\n")[0])] for name, make in GEOMETRIES.items()],
        ),
        "## Header presets",
        "What `preset` of `[data]` may be. The keywords of a field are tried in order, and the first that a header holds counts; "
        "`{n}` is the number at the end of the detector's name.",
    ]
    for name, preset in PRESETS.items():
        out += [f"### Preset {name}", *_preset(preset)]
    return out


def _preset(preset: Preset) -> list[str]:
    rows = [
        [code(field), plain(meaning), ", ".join(code(w) for w in preset.fields.get(field, ())) or "none"]
        for field, meaning in FIELDS.items()
    ]
    out = [_table(("Field", "Meaning", "Keywords"), rows)]
    types = ", ".join(f"{code(p)} → {kind}" for p, kind in preset.types.items())
    out.append(
        f"Frame types, by the first pattern that fits what the type keyword says: {types}. ({_capital(VAGUE)} says only that "
        "the shutter opened: then the file's name or a rule tells, and if neither does the frame counts as other.)"
    )
    if preset.rules:
        out.append("Where no keyword says the type, by the first rule that holds:")
        out.append("\n".join(f"1. {_rule(rule)}" for rule in preset.rules))
    if preset.clock:
        words = ", ".join(code(w) for w in preset.clock)
        out.append(f"Where the date has no time, the time is taken from {words}.")
    if preset.file_name:
        out.append(f"File names: {code(preset.file_name)}.")
    if preset.logs:
        out.append(f"Exposure logs: {', '.join(code(p) for p in preset.logs)}.")
    return out


def _rule(rule: TypeRule) -> str:
    return f"**{rule.type}** if {plain(rule.why)}."


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────────


def _commands() -> list[str]:
    import typer

    from builder.cli import app

    top = typer.main.get_command(app)
    out = ["# Commands", plain(str(top.help)), _options(top)]
    for words, command in commands(top, "calbook"):
        out += [f"## {words}", *_help(str(command.help)), code(_usage(words, command)), _options(command)]
    return [part for part in out if part]


def commands(group: Any, words: str) -> list[tuple[str, Any]]:
    """All commands below a group, each with the words that call it; groups themselves left out."""
    out = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            out += commands(command, f"{words} {name}")
        else:
            out.append((f"{words} {name}", command))
    return out


def _help(text: str) -> list[str]:
    return [plain(part) for part in re.split(r"\n\s*\n", text.strip())]


def _usage(words: str, command: Any) -> str:
    arguments = [p.name.upper() + ("…" if p.nargs != 1 else "") for p in command.params if not _is_option(p)]
    needed = [f"{p.opts[0]} {p.name.upper()}" for p in command.params if _is_option(p) and p.required]
    return " ".join([words, *arguments, *needed, "[options]"])


def _is_option(parameter: Any) -> bool:
    return str(parameter.opts[0]).startswith("-")


def _options(command: Any) -> str:
    rows = [
        [
            ", ".join(code(o) for o in (p.opts if _is_option(p) else [p.name.upper()])),
            plain(str(p.help or "")),
        ]
        for p in command.params
    ]
    return _table(("Argument or option", "Meaning"), rows) if rows else ""


# ── findings, flags, verdicts ─────────────────────────────────────────────────────────────────────────────


def _findings() -> list[str]:
    out = [
        "# Findings",
        "Everything that is wrong or unknown is a finding: it is shown where a reader meets what it concerns, and listed on the health "
        "page with its place and what to do. A finding never stops a build. An error costs a result (and makes `calbook build` end "
        "with status 1), a warning may mislead, a note informs.",
    ]
    for severity in Severity:
        held = [k for k in KINDS.values() if k.severity == severity]
        rows = [[code(k.slug), plain(k.title), plain(k.meaning)] for k in held]
        out += [f"## {_capital(severity)}s", _table(("Kind", "Title", "Meaning"), rows)]
    return out


def _not_measured() -> list[str]:
    return [
        "# Measured",
        "Nothing was measured in this copy of calbook. `make bench` takes an hour or more, and writes this page: tables of times "
        "and of memory beside those of other tools, and how costs grow. What is measured is told in [](speed.md).",
    ]


def _not_simulated() -> list[str]:
    return [
        "# How do we know",
        "Nothing was simulated in this copy of calbook. `make truth` takes an hour or more, and writes this page: every procedure on "
        "frames whose truth is known, and how far its values are from it in units of their own uncertainties.",
    ]


def _masks() -> list[str]:
    table = [
        [str(n), str(BITS[name]), code(name), plain(what)] for n, (name, what) in enumerate(OF_BITS.items())
    ]
    chain = [
        [
            code(name),
            plain(what),
            plain(
                ", ".join(f"{t.procedure}: {t.product.replace('_', ' ')}" for t in TAKES.get(name, ()))
                or "none"
            ),
        ]
        for name, what in STEPS.items()
    ]
    offers = [
        [
            code(p.name),
            code(str(x.default)) if x.default else "none",
            plain(x.meaning.removeprefix("steps of correction: ")),
        ]
        for p in builtin()
        for x in p.parameters
        if x.name == "corrections"
    ]
    return [
        "# Masks and corrections",
        "## Bits of masks",
        "Masks are images of 32-bit whole numbers; a pixel is good when it is 0. A bit means the same in every mask, and is never "
        "used for anything else; new ones come last.",
        _table(("Bit", "Value", "Name", "Meaning"), table),
        "## Steps of correction",
        "Procedures that correct frames before they measure have a parameter `corrections`, the names of steps separated by spaces. Steps "
        "are always applied in this order, each frame is read once, and mask and saturation are carried along. A pixel for which a step "
        "has no value is masked as `uncorrected`; a step for which nothing was found is left out, and the result's log says so.",
        _table(("Step", "Takes off", "Product of"), chain),
        "Products are taken only for steps that `corrections` names: a result depends on what it was corrected with, and is measured anew when that changes. "
        "Procedures that would correct each other are told on the health page, and run without: leave a step out of one of them.",
        "## Procedures that correct",
        "Those whose default is none take offset (and bias structure) off by themselves, and offer what changes their numbers: photon transfer and gain stability correct "
        "moments of pairs by the curve of the table, dark and flat their masters and levels. A value made with more than its default steps says so in its note. Bias and gates look at what the converter "
        "says itself, defects at pixels beside their neighbours, of which no correction moves one alone; charge transfer at ratios that change by less than their errors; cosmic rays at differences of darks.",
        _table(("Procedure", "Default", "Offers"), offers),
    ]


def _flags() -> list[str]:
    states = [[SHAPES[v], plain(v), plain(MEANINGS[v])] for v in Verdict]
    flags = [[code(f), "yes" if f in ALARMS else "no", plain(what)] for f, what in FLAGS.items()]
    reasons = [[code(r), plain(what)] for r, what in REASONS.items()]
    return [
        "# Verdicts, flags and reasons",
        "## Verdicts",
        "States of a measurement, worst first. A test has the worst state of its measurements, a block that of its tests; "
        "a value that is not evaluated never hides one that passes.",
        _table(("Shape", "Word", "Meaning"), states),
        "## Flags",
        "A flag stands beside a value and says what to know of it. One that alarms turns a clean verdict into a warning.",
        _table(("Flag", "Alarms", "Meaning"), flags),
        "## Reasons",
        "A value that could not be had is empty, never a number that stands for nothing, and says why.",
        _table(("Reason", "Meaning"), reasons),
        "## Why a limit could not judge",
        "Then the verdict is not evaluated, never a pass; among the flags of the exports stands `unjudged:` with the code.",
        _table(
            ("Code", "Meaning"),
            [[code(name), plain(_capital(what)) + "."] for name, what in UNJUDGED.items()],
        ),
    ]
