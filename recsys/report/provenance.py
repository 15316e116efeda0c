"""Where a bundle comes from, in Markdown, from the manifest's "lineage" alone: its data, its code, and how to make it again."""

import shlex
from collections.abc import Mapping, Sequence

from recsys.report.bundle import readable_size
from recsys.report.markdown import code, prose, table

PARTS = ("training", "validation", "test")
RUN_DIRECTORY = "hydra.run.dir="
"""Two runs never share a directory, so the command that makes a run again leaves its own out."""


def data_blocks(lineage: Mapping) -> list[str]:
    """The data of each task, told once where tasks share a store."""
    blocks, told = [], []
    for task, data in lineage.get("data", {}).items():
        if data["store"] in told:
            continue
        told.append(data["store"])
        sharing = [other for other, its in lineage["data"].items() if its["store"] == data["store"]]
        blocks += [f"Data set {code(data['name'])} of {' and '.join(sharing)}, prepared as {code(data['store'])}.", *_data(data)]
        split = lineage.get("config", {}).get(task, {}).get("data", {}).get("split")
        blocks += [_split(split, data)] if split else []
        notes = "\n".join(f"- {prose(note)}" for note in data["notes"])
        blocks += ["What preparation found:", notes] if notes else []
    return blocks


def lineage_blocks(lineage: Mapping, checkpoint: Mapping[str, Mapping], versions: Mapping[str, str]) -> list[str]:
    """Commit, lock file, seeds, hashes and commands of the export and of each training run, and the versions of both."""
    columns = {"export": lineage, **lineage.get("train", {})}
    rows = [
        ["commit", *(_commit(facts.get("git")) for facts in columns.values())],
        ["lock file", *(_lock(facts.get("lock")) for facts in columns.values())],
        ["started", *(code(facts.get("started", "")) for facts in columns.values())],
        ["platform", *(code(facts.get("platform", "")) for facts in columns.values())],
        ["seed", "–", *(str(lineage["seed"][task]) for task in lineage["train"])],
        ["config, sha256", "–", *(code(facts.get("config_sha256", "")[:12]) for facts in lineage["train"].values())],
        ["weights, sha256", "–", *(code(checkpoint.get(task, {}).get("sha256", "")[:12]) for task in lineage["train"])],
        ["weights chosen by", "–", *(code(lineage["config"][task].get("monitor", "")) for task in lineage["train"])],
        ["weights of step", "–", *(f"{checkpoint[task]['step']:,}" if task in checkpoint else "–" for task in lineage["train"])],
    ]
    headings = ["", *(name if name == "export" else f"training: {name}" for name in columns)]
    blocks = [table(headings, [row for row in rows if _told(row)], text=len(headings))]
    blocks.append(_versions({"export": versions, **{task: facts.get("versions", {}) for task, facts in lineage["train"].items()}}))
    commands = [_again(facts["command"]) for facts in lineage["train"].values() if "command" in facts]
    if commands:
        blocks += ["To make it again, at these commits and with the packages of the lock file:", "```sh\n" + "\n".join(commands) + "\n```"]
    return [block for block in blocks if block]


def _data(data: Mapping) -> list[str]:
    files = [
        [code(entry["table"]), code(entry["file"]) if entry["file"] else "in memory", _hash(entry), readable_size(entry["size"])]
        for entry in data["inputs"]
    ]
    keys = ("rows", "positives", "users", "items", "rows_of_new_users", "rows_of_new_items")
    keys = [key for key in keys if any(key in data["split"][part] for part in PARTS)]
    headings = ["", *(key.replace("_", " ") for key in keys)]
    rows = [[part, *(_count(data["split"][part].get(key), data["split"][part]["rows"], key) for key in keys)] for part in PARTS]
    rows.append(["all", *(f"{data['counts'][key]:,}" if key in data["counts"] else "" for key in keys)])
    return [table(["table", "file", "sha256", "size"], files, text=3), table(headings, rows)]


def _split(split: Mapping, data: Mapping) -> str:
    options = ", ".join(f"{key} {value}" for key, value in split.items() if key != "_target_" and value is not None)
    kind = split["_target_"].rpartition(".")[2]
    sentences = [f"Split: {code(kind)}{f' ({prose(options)})' if options else ''}."]
    if data["dates"]:
        sentences.append(f"Rows from {_day(data['dates'][0])} to {_day(data['dates'][1])} (UTC).")
    if data["boundaries"]:
        sentences.append(f"Validation starts {_day(data['boundaries']['val'])}, test {_day(data['boundaries']['test'])}.")
    return " ".join(sentences)


def _count(value: int | None, rows: int, key: str) -> str:
    if value is None:
        return "–"
    return f"{value:,} ({value / rows:.1%})".replace("%", " %") if key.startswith("rows_of_new") and rows else f"{value:,}"


def _hash(entry: Mapping) -> str:
    return code(entry["sha256"][:16]) + ("" if entry["whole"] else " (first and last block)")


def _day(moment: str) -> str:
    return moment.replace("T", " ").removesuffix("Z")


def _commit(git: Mapping | None) -> str:
    return "–" if git is None else code(git["commit"][:12]) + (", with changes that are not committed" if git["dirty"] else "")


def _lock(lock: Mapping | None) -> str:
    return "–" if lock is None else f"{code(lock['file'])} {code(lock['sha256'][:12])}"


def _versions(found: Mapping[str, Mapping]) -> str:
    packages = list(dict.fromkeys(package for versions in found.values() for package in versions))
    rows = [[package, *(prose(versions.get(package) or "–") for versions in found.values())] for package in packages]
    return table(["package", *found], rows, text=1 + len(found))


def _again(command: str) -> str:
    return shlex.join(word for word in shlex.split(command) if not word.startswith(RUN_DIRECTORY))


def _told(row: Sequence[str]) -> bool:
    return any(cell != "–" for cell in row[1:])
