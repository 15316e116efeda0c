"""What a model was trained and tested on."""

from recsys.report.content import Grid, Section
from recsys.report.words import day, percent
from recsys.run.files import RunFiles

COUNTS = ("rows", "positives", "users", "items", "rows_of_new_users", "rows_of_new_items")


def section(run: RunFiles) -> Section:
    """Rows, users and items of each part, the files, and what preparation had to say."""
    data = run.data
    split = {key: value for key, value in run.config["data"]["split"].items() if key != "_target_" and value is not None}
    kind = run.config["data"]["split"]["_target_"].rpartition(".")[2]
    options = ", ".join(f"{key} {value}" for key, value in split.items())
    text = [f"Data set {data['name']}, prepared as {data['store']}. Split: {kind}{f' ({options})' if options else ''}."]
    if data["dates"]:
        text.append(f"Rows from {day(data['dates'][0])} to {day(data['dates'][1])} UTC.")
    if data["boundaries"]:
        text.append(f"Validation starts {day(data['boundaries']['val'])}, the test {day(data['boundaries']['test'])} UTC.")
    keys = [key for key in COUNTS if any(key in part for part in data["split"].values())]
    rows = [(name, *(part.get(key) for key in keys)) for name, part in data["split"].items()]
    rows.append(("all", *(data["counts"].get(key) for key in keys)))
    headings = ("", *(key.replace("_", " ") for key in keys))
    files = [(entry["table"], entry["file"] or "in memory", entry["size"], entry["sha256"][:16]) for entry in data["inputs"]]
    parts = (
        Grid("data", "Parts", headings, tuple(rows)),
        Grid("inputs", "Files", ("table", "file", "bytes", "sha256, its beginning"), tuple(files)),
        Grid("notes", "What preparation found", ("note",), tuple((note,) for note in data["notes"])),
    )
    return Section("data", "Data", (" ".join(text),), tuple(part for part in parts if part.rows))


def unknown_rows(data: dict) -> list[str]:
    """Shares of test rows with ids that training never saw."""
    test = data["split"].get("test", {})
    found = []
    for noun in ("users", "items"):
        rows = test.get(f"rows_of_new_{noun}", 0)
        if rows:
            share = percent(rows / test["rows"])
            found.append(f"{share} of the test rows have {noun} that training never saw; more of them than that was not tested.")
    return found
