"""Sum up JUnit reports: test_report.py REPORT.xml… prints counts for each, the slowest tests, what was skipped, and
which programs that no package brings were there to be tried.

Each report is named after what ran. Exits 1 when a test failed or was skipped, or when a report holds no test.
"""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

SLOWEST = 15
BAD = ("failure", "error", "skipped")
REAL = re.compile(r"real-(terraform|tofu)")
"""In the names of tests that ran a real program, and not the fake that stands in for it everywhere."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test as it ran. `outcome` is passed, failure, error or skipped; `why` is pytest's own words."""

    run: str
    name: str
    seconds: float
    outcome: str
    why: str


def outcome_of(element: ET.Element) -> tuple[str, str]:
    """The first thing that is wrong with a test case, or passed."""
    for kind in BAD:
        found = element.find(kind)
        if found is not None:
            return kind, found.get("message", "").split("\n")[0]
    return "passed", ""


def read(path: Path) -> list[Case]:
    """The cases of one report."""
    cases = []
    for element in ET.parse(path).iter("testcase"):
        outcome, why = outcome_of(element)
        name = f"{element.get('classname', '')}::{element.get('name', '')}"
        cases.append(Case(path.stem, name, float(element.get("time", "0")), outcome, why))
    return cases


def report(runs: dict[str, list[Case]]) -> tuple[list[str], bool]:
    """The lines to print, and whether all is well."""
    cases = [case for run in runs.values() for case in run]
    slowest = sorted(cases, key=lambda case: -case.seconds)[:SLOWEST]
    bad = [case for case in cases if case.outcome != "passed"]
    lines = [f"The slowest {len(slowest)}:"]
    lines += [f"  {case.seconds:7.2f} s  {case.run}: {case.name}" for case in slowest]
    lines += [f"{case.outcome}: {case.run}: {case.name}: {case.why}" for case in bad]
    for name, run in runs.items():
        counts = {kind: sum(case.outcome == kind for case in run) for kind in ("passed", *BAD)}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count or kind == "passed")
        lines.append(f"{name}: {told} in {sum(case.seconds for case in run):.0f} s of tests")
    real = sorted({found[1] for case in cases if (found := REAL.search(case.name))})
    lines.append(f"Terraform or OpenTofu: {' and '.join(real) or 'none was found: only the fake'} ran.")
    lines.append(f"Interpreters that ran: {', '.join(sorted({name.split()[0] for name in runs}))}.")
    return lines, not bad and bool(runs) and all(runs.values())


def main() -> int:
    """Print the report of the files named on the command line."""
    runs = {path.stem: read(path) for path in map(Path, sys.argv[1:])}
    lines, well = report(runs)
    print("\n".join(lines))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
