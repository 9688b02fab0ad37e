"""Run cases of known truth, print their pulls, and write them into the guide.

    python -m bench.truth [--quick] [--workers N] [--case WORDS …] [PROCEDURE …]

Without names all cases are run; ``--case`` runs those alone whose names, as they are printed, contain the words. ``--quick`` takes few realisations, prints, and
writes nothing. Figures of cases that were not run now are kept.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.truth import completeness as planted
from bench.truth.case import Case, Pulls, run, run_quickly
from bench.truth.cases import cases, completeness
from bench.truth.page import Told, told, write_page


def one(name: str, quick: bool) -> tuple[Told, list[str]]:
    """Run the case of that name: what the page tells of it, and what misses what is wanted."""
    case = next(c for c in cases() if c.name == name)
    pulls: Pulls = run_quickly(case) if quick else run(case, case.runs)
    return told(pulls), pulls.faults(errors=4.0 if quick else 0.0)


def one_of_planted(name: str, quick: bool) -> tuple[planted.ToldRates, list[str]]:
    """The same of a case of planted things."""
    case = next(c for c in completeness() if c.name == name)
    rates = planted.run(case, case.quick if quick else case.runs)
    return planted.told(rates), rates.faults(errors=4.0 if quick else 0.0)


def main() -> int:
    """Run what is asked for; the exit status is 1 when a figure misses what is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("procedures", nargs="*", help="names of procedures; all when none is named")
    parser.add_argument("--quick", action="store_true", help="few realisations, nothing is written")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        metavar="WORDS",
        help="cases whose names contain this; may be repeated",
    )
    asked = parser.parse_args()

    def wanted(case: Case | planted.Completeness) -> bool:
        of_case = not asked.case or any(words in case.name for words in asked.case)
        return of_case and (not asked.procedures or case.procedure in asked.procedures)

    chosen = [c.name for c in cases() if wanted(c)]
    of_planted = [c.name for c in completeness() if wanted(c)]
    if not chosen and not of_planted:
        parser.error("no case has such a name")
    out, rates, missed = [], [], 0
    with ProcessPoolExecutor(asked.workers) as pool:
        for found, faults in pool.map(one, chosen, [asked.quick] * len(chosen)):
            out.append(found)
            missed += bool(faults)
            print(
                f"{found.name}\n    {found.n} values, mean pull {found.mean:+.3f} ± {found.mean_error:.3f}, scatter {found.scatter:.3f} ± "
                f"{found.scatter_error:.3f}; bias {found.bias}{'; MISSED: ' + '; '.join(faults) if faults else ''}",
                flush=True,
            )
        for of_case, faults in pool.map(one_of_planted, of_planted, [asked.quick] * len(of_planted)):
            rates.append(of_case)
            missed += bool(faults)
            print(
                f"{of_case.name}\n    {of_case.planted} planted, completeness {of_case.completeness}, purity {of_case.purity}"
                f"{'; MISSED: ' + '; '.join(faults) if faults else ''}",
                flush=True,
            )
    if not asked.quick:
        write_page(Path(__file__).parents[2] / "site_src" / "guide", out, rates)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
