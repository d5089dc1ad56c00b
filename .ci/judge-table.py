"""judge-table.py FILE... prints the results of the judge (--json) as tables in Markdown."""

import json
import pathlib
import sys

short = {
    "at most once: messages are lost": "at most once",
    "neither at least once nor at most once: messages are lost, and others come twice": "lost, and others twice",
}


def cell(trial):
    if trial is None:
        return ""
    if trial["status"] == "not tried":
        return "–"
    found = [f"{len(trial[kind])} {name}" for kind, name in
             (("lost", "lost"), ("twice", "twice"), ("out_of_order", "out of order")) if trial.get(kind)]
    if trial.get("why"):
        found.append("ended" if "by itself" in trial["why"] else "did not end" if "did not end" in trial["why"] else "not possible")
    count = f"{trial['sent']:,}"
    if trial["status"] == "ok":
        return f"{count} ok" + (f", {', '.join(found)}" if found else "")
    return f"{count}: **{', '.join(found)}**"


reports = [(pathlib.Path(name).stem.split("_", 1)[1], json.loads(pathlib.Path(name).read_text())) for name in sys.argv[1:]]
for kind in ("consumer", "producer"):
    rows = [(name, report) for name, report in reports if report["kind"] == kind]
    trials = list(dict.fromkeys(trial["trial"] for _, report in rows for trial in report["trials"]))
    if not rows:
        continue
    print(f"| {kind} | {' | '.join(trials)} | seen | time |")
    print(f"|---|{'---|' * len(trials)}---|--:|")
    for name, report in rows:
        by_name = {trial["trial"]: trial for trial in report["trials"]}
        cells = [cell(by_name.get(trial)) for trial in trials]
        print(f"| {name} | {' | '.join(cells)} | {short.get(report['verdict'], report['verdict'])} | {report['seconds']:.0f} s |")
    print()
