"""python benchmarks/check/page.py: check the whole collection, and write the page that compares truth and verdict.

Verdicts are stored in benchmarks/check/verdicts.json after each family, so that an interrupted run can resume; the
page is generated from this file. The independently written losses were run once. Their first verdicts are never
overwritten: later runs are stored separately.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from check.mutants import run as of_mutants
from check.run import ASIDE, FAMILIES, FRESH, MENDED, UNSEEN, cases, row

HERE = Path(__file__).parent
KEPT = HERE / "verdicts.json"
PAGE = HERE.parents[1] / "docs" / "measure" / "collection.md"
ONCE = "Independently written losses, run once"
SECOND = "A second set of independently written losses, run once"
THIRD = "A third set of independently written losses, run once"
FOURTH = "A fourth set of independently written losses, run once"
FIFTH = "A fifth set of independently written losses, run once"
SIXTH = "A sixth set of independently written losses, run once"
SEVENTH = "A seventh set of independently written losses, run once"
EIGHTH = "An eighth set of independently written losses, run once"
NINTH = "A ninth set of independently written losses, run once"
TENTH = "A tenth set of independently written losses, run once"
ELEVENTH = "An eleventh set of independently written losses, run once"
PUBLIC = "Losses of public repositories, run once"
MORE_PUBLIC = "Further losses of public repositories, run once"
LAST_PUBLIC = "A third set of losses of public repositories, run once"
FOURTH_PUBLIC = "A fourth set of losses of public repositories, run once"
COPIED = "The losses that are copied most, run once"
JUDGED = (  # the first finding for each loss was judged by hand
    *(ONCE, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH, EIGHTH, NINTH, TENTH, ELEVENTH),
    *(PUBLIC, MORE_PUBLIC, LAST_PUBLIC, FOURTH_PUBLIC, COPIED),
)
SETS = {
    "Losses used to fix the checker": FAMILIES,
    "Held-out losses, run once after the fixes": ASIDE,
    "Losses of other kinds, written after the fixes": FRESH,
    ONCE: UNSEEN,
    "The same, after fixing the checker with them": tuple(map(MENDED.format, UNSEEN)),
    SECOND: ("second",),  # benchmarks/check/second, checked by the command line; these rows are never updated
    THIRD: ("third",),  # benchmarks/check/third, likewise
    FOURTH: ("fourth",),  # benchmarks/check/fourth, likewise
    FIFTH: ("fifth",),  # benchmarks/check/fifth, likewise
    SIXTH: ("sixth",),  # benchmarks/check/sixth, likewise
    SEVENTH: ("seventh",),  # benchmarks/check/seventh, likewise
    EIGHTH: ("eighth",),  # benchmarks/check/eighth, likewise
    NINTH: ("ninth",),  # benchmarks/check/ninth, likewise
    TENTH: ("tenth",),  # benchmarks/check/tenth, likewise
    ELEVENTH: ("eleventh",),  # benchmarks/check/eleventh, likewise
    PUBLIC: ("public-b",),  # likewise; their code stays where it is
    MORE_PUBLIC: ("public-c",),  # likewise
    LAST_PUBLIC: ("public-d",),  # likewise
    FOURTH_PUBLIC: ("public-e",),  # likewise
    COPIED: ("copied",),  # likewise
}


def run(family: str) -> list[dict[str, Any]]:
    """The rows of a family, as stored."""
    found = []
    for case in cases([family]):
        each = row(case)
        print(f"{each.outcome:12} {case.name:28} {each.verdict:7} {each.first:24} {each.seconds:5.1f} s", flush=True)
        found.append(
            {
                "name": case.name,
                "thread": case.thread,
                "truth": list(case.faults),
                "verdict": each.verdict,
                "first": each.first,
                "outcome": each.outcome,
                "seconds": round(each.seconds, 1),
            }
        )
    return found


def page(kept: dict[str, list[dict[str, Any]]]) -> str:
    """The page from the stored rows."""
    lines = [
        "# Truth against verdict",
        "",
        "Verdicts of `losskit check` on small losses written for it (`benchmarks/check/losses`), half of them sound. A",
        "third was held out while the checker was fixed, and run once afterwards; those rows are never updated.",
        "`python benchmarks/check/page.py` writes this page.",
        "",
        f"{ONCE}: 64 losses by an author who had not seen the checker. The first finding",
        "for each was judged by hand: it is correct if it names the fault.",
        "The accuracy after the fixes does not predict the accuracy on new losses: these losses guided the fixes.",
        "If only shapes are known, only checks that need no expected result are run, and three faults are missed.",
        "For `AuxHeadLoss`, the option of the detached term was accepted as a name after the second run.",
        "",
        f"{SECOND}: 72 losses by another author who had not seen the checker, written while it was fixed with",
        "the first set and with public losses. The complete check ran on each, as a user would run it. They are in",
        "`benchmarks/check/second`, with the fault of each and an input that shows it.",
        "",
        f"{THIRD}: 72 losses by a third author, who had seen neither the checker nor the other sets, written",
        "before the checker was given what each kind of loss claims. They are in `benchmarks/check/third`.",
        "",
        f"{FOURTH}: 60 losses by a fourth author, who had seen neither the checker nor the other sets, with a thread",
        "for almost every fault. They are in `benchmarks/check/fourth`. The three false alarms were fixed afterwards.",
        "",
        f"{FIFTH}: 60 losses by a fifth author, likewise, with a thread for each fault, run after formulas of 176",
        "families had been added. They are in `benchmarks/check/fifth`. The three false alarms, the hang and the loss",
        "without an answer were fixed afterwards.",
        "",
        "When the fifth set was run, the checker named 35 of 36 faults of the second set, 35 of 36 of the third and 28",
        "of 30 of the fourth, and accused none of their sound losses: these sets had guided the fixes.",
        "",
        f"{SIXTH}: 60 losses by a sixth author, likewise, run after formulas of about 290 families and",
        "departures from them had been added. They are in `benchmarks/check/sixth`. The five false alarms were fixed",
        "afterwards. When it was run, the checker reported 130 of the 132 faults of the second to fifth set and",
        "accused none of their sound losses: what guides the fixes says little of what is new.",
        "",
        f"{SEVENTH}: 60 losses by a seventh author, likewise, run after about 340 quantities and 50 further families",
        "had been added. They are in `benchmarks/check/seventh`. The four false alarms were fixed afterwards.",
        "",
        f"{EIGHTH}: 60 losses by an eighth author, likewise, as readers of tutorials write them, with faults in the",
        "proportion in which threads report them. They are in `benchmarks/check/eighth`. The four false alarms were",
        "fixed afterwards.",
        "",
        f"{NINTH}: 60 losses by a ninth author, likewise, run after what the eighth set and the losses of public",
        "repositories had shown was fixed. They are in `benchmarks/check/ninth`.",
        "",
        f"{TENTH}: 60 losses by a tenth author, likewise, run after what the ninth set, 50 pairs of losses by",
        "another author and the losses of public repositories had shown was fixed. They are in",
        "`benchmarks/check/tenth`.",
        "",
        f"{ELEVENTH}: 60 losses by an eleventh author, likewise, run after what the tenth set and the losses",
        "that are copied most had shown was fixed. They are in `benchmarks/check/eleventh`.",
        "",
        f"{PUBLIC}: 45 losses of as many public files, taken as they came. Somebody who had not",
        "seen the checker judged each by running it against a computation of their own. 12 whose fault is a convention",
        "or in input that they do not document are left out. What their options are was stated, as by a user.",
        "",
        f"{MORE_PUBLIC}: 40 of other repositories, likewise, run together with the ninth set; 13 are left out.",
        "",
        f"{LAST_PUBLIC}: 68 of other files, likewise, run together with the tenth set;",
        "16 are left out.",
        "",
        f"{FOURTH_PUBLIC}: 50 of other repositories, drawn at random, likewise,",
        "run together with the eleventh set; 10 are left out.",
        "",
        f"{COPIED}: what tutorials, notebooks and paper code copy from each other,",
        "206 functions and classes of 100 files, judged by somebody who had not seen the checker; 25 are left out.",
        "They guided the fixes before the eleventh set was run. Four of the false alarms say that `weight` is never",
        "read, which is true.",
        "",
        "A row is right if a sound loss exits with 0, or a faulty one exits with 1 and its fault is reported first.",
        "",
        "| losses | sound | false alarms | faulty | missed or misnamed | unsure |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    sets = {title: [each for family in families for each in kept.get(family, ())] for title, families in SETS.items()}
    sets = {title: rows for title, rows in sets.items() if rows}
    lines += [_counts(title, rows) for title, rows in sets.items()]
    lines += _mutants()
    for title, rows in sets.items():
        judged = [" judged by hand |", " --- |"] if title in JUDGED else ["", ""]
        head = [
            f"| loss | example of | truth | verdict | first finding |{judged[0]}",
            f"| --- | --- | --- | --- | --- |{judged[1]}",
        ]
        lines += ["", f"## {title}", "", *head, *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _mutants() -> list[str]:
    """The section on mutants of the catalogue."""
    rows = json.loads(of_mutants.KEPT.read_text()) if of_mutants.KEPT.exists() else {}
    if not rows:
        return []
    edited = {key: row for key, row in rows.items() if row["mistake"] != of_mutants.NONE}
    missed = [f"`{key}`" for key, row in edited.items() if "faulty" not in (row["verdict"], row.get("again"))]
    return [
        "",
        "## Mutants of the catalogue",
        "",
        "Losses of the catalogue in plain PyTorch (`benchmarks/check/mutants`), each with one edit of its code.",
        "Left out are edits that change nothing, that scale the gradient, and that raise an error in every call.",
        "Of the others, one edit of each mistake for each loss is a candidate; a random sample was checked.",
        "`python benchmarks/check --mutants` runs the checker on them, and `--again` on those that were not found.",
        "An original that is found is a false alarm; mutants of it are not counted. `soft_margin_loss` is taken for a",
        "loss of 0 and 1.",
        "",
        *of_mutants.summary(rows),
        "",
        "Missed or unsure: " + "; ".join(missed) + ".",
    ]


def _counts(title: str, rows: list[dict[str, Any]]) -> str:
    sound, faulty = [r for r in rows if not r["truth"]], [r for r in rows if r["truth"]]
    accused = sum(r["outcome"] == "false alarm" for r in sound)
    missed = sum(r["outcome"] in ("missed", "misnamed") for r in faulty)
    unsure = sum(r["outcome"] == "unsure" for r in rows)
    shares = _share(accused, sound), _share(missed, faulty), _share(unsure, rows)
    return f"| {title} | {len(sound)} | {shares[0]} | {len(faulty)} | {shares[1]} | {shares[2]} |"


def _share(count: int, of: list[Any]) -> str:
    return f"{count} ({100 * count / max(len(of), 1):.1f} %)"


def _line(row: dict[str, Any]) -> str:
    truth = ", ".join(each if " " in each else f"`{each}`" for each in row["truth"]).replace("|", "\\|") or "sound"
    said = row["verdict"] if row["outcome"] == "right" else f"**{row['verdict']}: {row['outcome']}**"
    first = f"`{row['first']}`" if row["first"] else ""
    judged = f" {row['judged']} |" if "judged" in row else ""
    return f"| `{row['name']}` | {row['thread']} | {truth} | {said} | {first} |{judged}"


def main(arguments: list[str]) -> int:
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    wanted = [each for each in arguments if not each.startswith("-")]
    if "--write" not in arguments:
        for family in wanted or [*FAMILIES, *ASIDE, *FRESH, *UNSEEN]:
            kept[MENDED.format(family) if family in UNSEEN else family] = run(family)
            KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PAGE.write_text(page(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
