"""python benchmarks/check [NAME ...]: check the collection, or the losses with these names, and print the results.

`--mutants [NUMBER]` checks so many mutants of the catalogue instead, and continues an interrupted run.
`--mutants --again` checks those that were not found once more.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from check.mutants.run import DEFAULT, run, summary
from check.run import ASIDE, FAMILIES, UNSEEN, cases, row


def main(arguments: list[str]) -> int:
    if "--mutants" in arguments:
        number = next((int(each) for each in arguments if each.isdigit()), DEFAULT)
        print("\n".join(summary(run(number, again="--again" in arguments))))
        return 0
    families = ASIDE if "--aside" in arguments else UNSEEN if "--unseen" in arguments else FAMILIES
    names = [each for each in arguments if not each.startswith("-")]
    chosen = [case for case in cases(families) if not names or case.name in names]
    counts: Counter[str] = Counter()
    for case in chosen:
        found = row(case)
        counts[f"{'sound' if case.sound else 'faulty'}: {found.outcome}"] += 1
        truth = "sound" if case.sound else "/".join(case.faults)
        print(f"{found.outcome:12} {case.name:28} {truth:32} {found.verdict:7} {found.first:24} {found.seconds:5.1f} s")
        if "-v" in arguments:
            print(found.said, flush=True)
    print(dict(sorted(counts.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
