"""A server with numpy and onnxruntime alone."""

import subprocess
import sys

HEAVY = ("torch", "polars", "pandas", "pyarrow", "onnx", "rich", "scipy", "hydra", "recsys.schema", "recsys.errors", "recsys.export")
CODE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in {heavy!r} or name.partition(".")[0] in {heavy!r}:
            raise ImportError(f"{{name}} is not installed")

sys.meta_path.insert(0, Blocked())
from recsys.serve import BadRow, Ranker, Recommender, Retriever

bundle, items = {bundle!r}, {{"item_id": ["a", "b", "c"], "price": [1, 5, 3]}}
print(Retriever(bundle).recommend([{{"history": ["c"]}}], k=1)[0].items)
print([round(value, 3) for value in Ranker(bundle).predict([{{"price": 2}}])["click"]])
print(Recommender(bundle, items).recommend([{{"history": ["b"]}}], k=2)[0].items)
try:
    import torch
except ImportError:
    print("blocked")
from recsys.serve.__main__ import main
print(main([bundle, "--requests", "in.parquet", "--out", "out.parquet"]))
"""


def test_retriever_ranker_and_recommender_answer_without_anything_else(bundle):
    done = subprocess.run([sys.executable, "-c", CODE.format(heavy=HEAVY, bundle=str(bundle))], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['c']", "[0.2]", "['c', 'a']", "blocked", "2"], done.stderr
    assert "pyarrow is not installed; files of requests need two more packages: pip install pyarrow rich" in done.stderr
