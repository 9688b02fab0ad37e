"""What a command says: lines for people, or with ``--json`` one document for programs."""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from builder import VERSION

if TYPE_CHECKING:
    from builder.build import Built
    from campaign.findings import Finding

FORMAT = 1
"""The form of the JSON documents. It is raised when a key changes its meaning or goes; new keys may come."""

BUILT, BUILT_WITH_ERRORS, NOT_BUILT = 0, 1, 2


def document(command: str, exit_status: int, **facts: Any) -> None:
    """Write the one JSON document of a command to standard output."""
    from campaign.sources.secrets import Secrets

    held = {
        "format": FORMAT,
        "calbook": VERSION,
        "command": command,
        **Secrets().redacted(facts),
        "exit": exit_status,
    }
    sys.stdout.write(json.dumps(held, indent=1, default=str).replace("\x7f", "\\u007f") + "\n")


def findings_facts(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as plain values, worst first."""
    from campaign.findings import worst_first

    return [{"severity": str(f.severity), **asdict(f)} for f in worst_first(findings)]


def print_findings(findings: Iterable[Finding], *, most: int = 10**9) -> None:
    """Findings on standard error, worst first, ``most`` of them; control characters are escaped."""
    from builder.progress import printable
    from campaign.findings import worst_first

    ordered = worst_first(findings)
    for finding in ordered[:most]:
        place = f"{finding.where}: " if finding.where else ""
        typer.echo(f"  {finding.severity:<8}{printable(place + finding.what)}", err=True)
        if finding.todo:
            typer.echo(f"          {printable(finding.todo)}", err=True)
    if len(ordered) > most:
        typer.echo(f"  … and {len(ordered) - most} more; the health page has them all.", err=True)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether a finding is an error."""
    return any(f.severity == "error" for f in findings)


def status_of(built: Built) -> int:
    """The exit status of a build that came to its end."""
    return BUILT_WITH_ERRORS if built.summary.errors or built.undrawn else BUILT


def counted(count: int, noun: str) -> str:
    """A number with its noun: '1 test', '3 tests'."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def tell_build(built: Built, *, quiet: bool, verbose: bool) -> None:
    """A build in words: what is wrong, worst first; then, unless ``quiet``, what came of the tests and where the site is."""
    from builder.progress import printable

    summary = built.summary
    errors = summary.errors
    print_findings(summary.findings if verbose else errors, most=10**9 if verbose else 20)
    for path, fault in built.undrawn:
        typer.echo(f"  {path} could not be drawn: {printable(fault)}", err=True)
    if quiet:
        return
    counts = summary.counts
    typer.echo(
        f"{printable(summary.title)}: {counted(summary.tests, 'test')}: {counts['pass']} pass, {counts['warn']} warn, "
        f"{counts['fail']} fail, {counts['error']} error, {counts['missing']} with missing frames; "
        f"{counted(len(summary.findings), 'finding')} ({counted(len(errors), 'error')}) on the health page."
    )
    if built.unchanged:
        typer.echo("Nothing changed since the last build.")
    if built.log and verbose:
        typer.echo(f"Log: {built.log}")
    typer.echo(str(built.home))


def build_facts(built: Built, folder: Path) -> Mapping[str, Any]:
    """A build as plain values, for its JSON document."""
    summary, costs, made = built.summary, built.costs, built.made
    count = costs.counts.get
    return {
        "campaign": {"id": built.campaign, "title": summary.title, "folder": str(folder)},
        "site": str(built.home),
        "log": str(built.log) if built.log else None,
        "build": summary.build,
        "unchanged": built.unchanged,
        "tests": {"all": summary.tests, **summary.counts},
        "results": {"new": count("results_new", 0), "reused": count("results_reused", 0)},
        "files": {"all": count("files", 0), "touched": count("files_touched", 0), "read": count("files_read", 0)},
        "pages": {"written": count("site_written", 0), "kept": count("site_kept", 0)},
        "stages": [{"name": s.name, "seconds": s.seconds, "memory_mb": s.memory_mb} for s in costs.stages],
        "changes": [asdict(c) for c in made.changes] if made and not built.unchanged else [],
        "findings": findings_facts(summary.findings),
        "undrawn": [{"page": page, "error": fault} for page, fault in built.undrawn],
    }  # fmt: skip


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────


class UsageError(Exception):
    """Something the person at the terminal can put right: told without a traceback, after the findings that say more."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = findings


def kind_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn errors into one message with what to do, and exit status 2; 130 or 143 when interrupted."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        from builder.cluster import ClusterError
        from builder.stop import Stopped, stoppable
        from builder.store import StoreError

        status = NOT_BUILT
        findings: Sequence[Finding] = ()
        try:
            with stoppable():
                return function(*args, **kwargs)
        except UsageError as error:
            message, findings = str(error), error.findings
        except (StoreError, ClusterError) as error:
            message = str(error)
        except KeyboardInterrupt as error:
            stop = error if isinstance(error, Stopped) else Stopped()
            message, status = str(stop), stop.status
        except FileExistsError as error:
            at = error.filename
            message = f"{at} is a file: name a folder, or one that is not there yet." if at else str(error)
        except OSError as error:
            message = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # not foreseen: a fault of ours, told without frightening anybody
            message = (
                f"a fault of calbook, not of your campaign: {type(error).__name__}: {error}\n"
                f"Details: {_keep(error)}"
            )
        if kwargs.get("as_json"):
            document(function.__name__, status, error=message, findings=findings_facts(findings))
        else:
            print_findings(findings, most=20)
            typer.echo(f"calbook: {message}", err=True)
        raise typer.Exit(status)

    return guarded


def _keep(error: Exception) -> str:
    """Write where an error arose to a file of its own, and name it."""
    with tempfile.NamedTemporaryFile("w", prefix="calbook-fault-", suffix=".txt", delete=False) as out:
        traceback.print_exception(error, file=out)
    return out.name
