"""Runs command lines of this project, each in a fork of one process that has imported torch and its like.

Their import takes a program longer than most of what tests have it do. The modules of this project, and all else, are a fork's own:
folder, environment, arguments, output and exit code.

A request is a line of JSON on standard input, programs that run at the same time; its answer, their exit codes, one on standard output.
"""

import atexit
import functools
import gc
import importlib
import json
import logging
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

HOME = Path(__file__).parent.parent
MODULES = (
    *("torch", "pytorch_lightning", "torchmetrics", "hydra", "rich.console", "yaml", "scipy.stats", "sklearn.ensemble"),
    *("sklearn.linear_model", "sklearn.metrics", "onnx", "onnxscript", "matplotlib.figure", "cyclonedx.model.bom"),
)
"""What programs import, but for packages that start threads, which a fork would lack: polars, pyarrow and onnxruntime."""


def main() -> None:
    """Answer requests until standard input ends; a fork becomes the program."""
    sys.path[0] = str(HOME)
    for name in MODULES:
        importlib.import_module(name)
    gather_operators_once()
    trace_a_graph()
    assert not {"polars", "pyarrow", "onnxruntime", "recsys"} & set(sys.modules)
    gc.freeze()  # what a fork's collector visits is copied
    print("ready", flush=True)
    for line in sys.stdin:
        children = []
        for program in json.loads(line):
            children.append((os.fork(), program["timeout_s"]))
            if children[-1][0] == 0:
                become(program)
        print(json.dumps([exit_code(*child) for child in children]), flush=True)


def gather_operators_once() -> None:
    """torch.onnx gathers its operators anew for each graph, which takes longer than to trace a small one; here once for a process."""
    registration = importlib.import_module("torch.onnx._internal.exporter._registration")
    registration.ONNXRegistry.from_torchlib = staticmethod(functools.cache(registration.ONNXRegistry.from_torchlib))


def trace_a_graph() -> None:
    """Imports what torch.onnx imports at its first graph only, for all forks."""
    torch, log = importlib.import_module("torch"), logging.getLogger("torch.onnx")
    log.setLevel(logging.ERROR)
    torch.onnx.export(torch.nn.Linear(1, 1).eval(), (torch.zeros(2, 1),), dynamo=True, verbose=False)
    log.setLevel(logging.NOTSET)


def become(request: dict) -> NoReturn:
    """Run one program of a request, as python would with this command line, and end the process."""
    for stream, path in enumerate((os.devnull, request["stdout"], request["stderr"])):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.orig_argv[1:] = request["command"]
    module = request["command"][0] == "-m"
    sys.argv[:] = request["command"][module:]
    own = request["cwd"] if module else str(Path(sys.argv[0]).parent)
    sys.path[:] = [own, *os.environ.get("PYTHONPATH", "").split(os.pathsep), *sys.path[1:]]
    code = 0
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # python would take down all that the fork has got from its parent, module by module: three seconds


def exit_code(child: int, timeout_s: float) -> int:
    """How a process ended: its code, or less than 0 for the signal that ended it."""
    deadline = time.monotonic() + timeout_s
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended[1])


if __name__ == "__main__":
    main()
