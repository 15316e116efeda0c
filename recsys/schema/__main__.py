"""python -m recsys.schema infer: the former words for `python -m recsys.infer`, which still work."""

import runpy
import sys

if __name__ == "__main__":
    print("`python -m recsys.schema infer` is now `python -m recsys.infer`", file=sys.stderr)
    if sys.argv[1:2] != ["infer"]:
        sys.exit(0 if sys.argv[1:2] in (["-h"], ["--help"]) else 2)
    del sys.argv[1]
    runpy.run_module("recsys.infer", run_name="__main__", alter_sys=True)
