"""Speed of one part of the program, beside a peer or the limit of the machine it runs on.

python -m benchmarks                     all targets, each in a process of its own
python -m benchmarks serving --help      options of one
"""

import argparse
import ast
import importlib
import logging
import subprocess
import sys
import warnings
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run one target, or all of them; the exit code."""
    found = targets()
    lines = "\n".join(f"  {name:<16}{purpose}" for name, purpose in found.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="python -m benchmarks [target [options]]",
        description=__doc__,
        epilog=f"targets:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", nargs="?", choices=[*found], help="one of the targets below")
    target = parser.parse_args(arguments[:1]).target
    if target is None:
        return max(subprocess.run([sys.executable, "-m", "benchmarks", name]).returncode for name in found)
    from recsys.config.launch import plain_errors  # here: --help should not wait for it

    with plain_errors():
        module = importlib.import_module(f"benchmarks.{target}")
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)  # the table is all there is to read
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        module.main(arguments[1:])
    return 0


def targets() -> dict[str, str]:
    """{file that has a `main`: first line of its docstring}."""
    trees = {path.stem: ast.parse(path.read_text()) for path in sorted(Path(__file__).parent.glob("[!_]*.py"))}
    with_main = (
        name for name, tree in trees.items() if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    )
    return {name: ast.get_docstring(trees[name]).splitlines()[0] for name in with_main}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
