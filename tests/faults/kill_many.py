"""Kill many builds at random moments: kill_many.py HOW_MANY [FIRST_SEED]. Prints what was wrong; exit status 1 then."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from killing import killed_and_mended, scene


def main(many: int, first: int = 0) -> int:
    bad = 0
    with tempfile.TemporaryDirectory(prefix="calbook-kill-") as root:
        held = scene(Path(root))
        for seed in range(first, first + many):
            what, wrong = killed_and_mended(held, Path(root) / f"killed-{seed}", seed)
            print(what, "wrong" if wrong else "fine", flush=True)
            for line in wrong[:20]:
                print(f"    {line[:400]}")
            bad += bool(wrong)
    print(f"{many} kills, {bad} with something wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:])))
