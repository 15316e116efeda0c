"""Where a bundle comes from, in Markdown, from the manifest's "lineage" alone: its data, its code, and how to make it again."""

import shlex
from collections.abc import Mapping, Sequence

from recsys.report.markdown import code, grid_blocks, prose, table
from recsys.report.sections.data import data_grids, data_text

RUN_DIRECTORY = "hydra.run.dir="
"""Two runs never share a directory, so the command that makes a run again leaves its own out."""


def data_blocks(lineage: Mapping) -> list[str]:
    """The data of each task, once where tasks share a store."""
    blocks: list[str] = []
    by_store = {data["store"]: (task, data) for task, data in reversed(lineage.get("data", {}).items())}
    for store, (task, data) in reversed(by_store.items()):
        sharing = [other for other, its in lineage["data"].items() if its["store"] == store]
        split = lineage.get("config", {}).get(task, {}).get("data", {}).get("split")
        blocks.append(f"Data set {code(data['name'])} of {' and '.join(sharing)}, prepared as {code(store)}.")
        blocks += [prose(data_text(data, split)), *(block for grid in data_grids(data) for block in grid_blocks(grid))]
    return [block for block in blocks if block]


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
    blocks = [table(headings, [row for row in rows if _is_known(row)], text=len(headings))]
    blocks.append(_versions({"export": versions, **{task: facts.get("versions", {}) for task, facts in lineage["train"].items()}}))
    commands = [_again(facts["command"]) for facts in lineage["train"].values() if "command" in facts]
    if commands:
        blocks += ["To make it again, at these commits and with the packages of the lock file:", "```sh\n" + "\n".join(commands) + "\n```"]
    return [block for block in blocks if block]


def _commit(git: Mapping | None) -> str:
    return "–" if git is None else code(git["commit"][:12]) + (", with changes that are not committed" if git["dirty"] else "")


def _lock(lock: Mapping | None) -> str:
    return "–" if lock is None else f"{code(lock['file'])} {code(lock['sha256'][:12])}"


def _versions(versions_of: Mapping[str, Mapping]) -> str:
    packages = list(dict.fromkeys(package for versions in versions_of.values() for package in versions))
    rows = [[package, *(prose(versions.get(package) or "–") for versions in versions_of.values())] for package in packages]
    return table(["package", *versions_of], rows, text=1 + len(versions_of))


def _again(command: str) -> str:
    return shlex.join(word for word in shlex.split(command) if not word.startswith(RUN_DIRECTORY))


def _is_known(row: Sequence[str]) -> bool:
    return any(cell != "–" for cell in row[1:])
