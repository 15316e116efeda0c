"""Origin of a run: its code, the lock file of its packages, the machine, the command, and the data it was trained on."""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from recsys.disk import write_whole
from recsys.disk.records import read_record, reading, require_type
from recsys.disk.scrub import argument_without_secrets

CODE = Path(__file__).resolve().parents[2]
"""Folder of the programs and of the package."""
PARTS = ("recsys", "conf", "train.py", "export.py", "pyproject.toml", "constraints.txt")
"""Files and folders that decide a result; other files of the folder may change."""
LOCK = "constraints.txt"
PACKAGES = ("recsys", "torch", "pytorch-lightning", "torchmetrics", "hydra-core", "numpy", "scipy", "scikit-learn", "polars", "pyarrow")
GIT_TIMEOUT_S = 10


def write_lineage(
    path: Path,
    *,
    store: Path,
    hardware: Mapping[str, Any] | None = None,
    others: Mapping[str, str] | None = None,
    goes_on: bool = False,
) -> None:
    """Write lineage.json of a run that starts now; one that goes on keeps what it says, and adds this start under "resumed".

    Args:
        store: folder of the prepared data.
        hardware: what was chosen for this machine: "threads" and "precision"; see `recsys.run.hardware`.
        others: {key of the config that names another run: sha256 of its weights}.
        goes_on: whether the run was begun before.
    """
    program = [Path(name).name for name in sys.orig_argv[1:2]]  # none where python is interactive
    arguments = map(argument_without_secrets, sys.orig_argv[2:])  # as typed: Hydra is given others
    facts: dict[str, Any] = {
        "store": str(store.resolve()),
        "runs": dict(others or {}),
        "git": git(CODE),
        "lock": lock(CODE),
        "versions": versions(PACKAGES),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        **(hardware or {}),
        "command": shlex.join(["python", *program, *arguments]),
    }
    if goes_on and path.exists():
        begun = read_record(path, lambda document: require_type(document, dict, "it"))
        with reading(path):
            resumed = require_type(begun.get("resumed", []), list, "'resumed'")
        facts = {**begun, "store": facts["store"], "runs": facts["runs"], "resumed": [*resumed, facts]}
    write_whole(path, json.dumps(facts, indent=2) + "\n")


def git(code: Path) -> dict[str, str | bool] | None:
    """The commit of a folder of code, and whether files that decide a result differ from it; None where git does not keep the folder.

    A copy of the package inside a repository of something else, such as an environment in a user's project, is not kept by that one.
    """
    if _git(code, "ls-files", "--error-unmatch", "--", "recsys/run/lineage.py") is None:
        return None
    commit, changed = _git(code, "rev-parse", "HEAD"), _git(code, "status", "--porcelain", "--", *PARTS)
    return None if commit is None or changed is None else {"commit": commit, "dirty": changed != ""}


def lock(code: Path) -> dict[str, str] | None:
    """Name and sha256 of the file that pins every package; None where there is none."""
    path = code / LOCK
    return {"file": LOCK, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} if path.exists() else None


def versions(packages: Sequence[str]) -> dict[str, str | None]:
    """{"python" and each package: its version}; None for a package that is not installed, as one found by PYTHONPATH alone."""
    installed: dict[str, str | None] = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = None
    return installed


def distributions(module: str) -> list[str]:
    """Names of the installed packages that a module comes from: faiss is in faiss-cpu, or in another."""
    return sorted(set(packages_distributions().get(module, ())))


def _git(code: Path, *arguments: str) -> str | None:
    """Answer of git about the repository around `code`; None where git fails."""
    # a hook of another repository exports GIT_DIR and its like
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(code), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, env=environment, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
