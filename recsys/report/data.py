"""Data that a model was trained and tested on."""

from collections.abc import Mapping

from recsys.report.content import Grid, Section
from recsys.report.words import day, percent, readable_size
from recsys.run.directory import RunDirectory

COUNTS = ("rows", "positives", "users", "items", "rows_of_new_users", "rows_of_new_items")


def data_section(run: RunDirectory) -> Section:
    """Rows, users and items of each part, the files, and what preparation had to say."""
    name = f"Data set {run.data['name']}, prepared as {run.data['store']}."
    return Section("data", "Data", (f"{name} {data_text(run.data, run.plain['data']['split'])}",), data_grids(run.data))


def data_text(data: Mapping, split: Mapping | None) -> str:
    """Split and period of the data of a data.json; the split is the node of the config, where it is known."""
    text = []
    if split is not None:
        options = ", ".join(f"{key} {value}" for key, value in split.items() if key != "_target_" and value is not None)
        text.append(f"Split: {split['_target_'].rpartition('.')[2]}{f' ({options})' if options else ''}.")
    if data["dates"]:
        text.append(f"Rows from {day(data['dates'][0])} to {day(data['dates'][1])} UTC.")
    if data["boundaries"]:
        text.append(f"Validation starts {day(data['boundaries']['val'])}, the test {day(data['boundaries']['test'])} UTC.")
    return " ".join(text)


def data_grids(data: Mapping) -> tuple[Grid, ...]:
    """Counts by part, files, and notes, as far as there are any; `data` as in data.json."""
    keys = [key for key in COUNTS if any(key in part for part in data["split"].values())]
    rows = [(name, *(part.get(key) for key in keys)) for name, part in data["split"].items()]
    rows.append(("all", *(data["counts"].get(key) for key in keys)))
    files = []
    for entry in data["inputs"]:
        sha256 = entry["sha256"][:16] + ("" if entry["whole"] else " (first and last block)")
        files.append((entry["table"], entry["file"] or "in memory", readable_size(entry["size"]), sha256))
    grids = (
        Grid("data", "Parts", ("", *(key.replace("_", " ") for key in keys)), tuple(rows)),
        Grid("inputs", "Files", ("table", "file", "size", "sha256, its beginning"), tuple(files)),
        Grid("notes", "What preparation found", ("note",), tuple((note,) for note in data["notes"])),
    )
    return tuple(grid for grid in grids if grid.rows)


def unknown_rows(data: Mapping) -> list[str]:
    """Shares of test rows with ids that training never saw."""
    test = data["split"].get("test", {})
    shares = {noun: percent(test[f"rows_of_new_{noun}"] / test["rows"]) for noun in ("users", "items") if test.get(f"rows_of_new_{noun}")}
    end = "that training never saw; more of them than that was not tested."
    return [f"{share} of the test rows have {noun} {end}" for noun, share in shares.items()]
