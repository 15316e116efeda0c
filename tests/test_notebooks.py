"""Every notebook runs from top to bottom as a reader would run it, and is kept without what it showed."""

import functools
import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient

HOME = Path(__file__).parent.parent
NOTEBOOKS = sorted(path.stem for path in (HOME / "notebooks").glob("*.ipynb"))


def read(name):
    return nbformat.read(HOME / "notebooks" / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Runs the notebook of a name, once, in a project beside the checkout; a cell that fails fails the test with its own error."""
    project = tmp_path_factory.mktemp("project")
    for name in ("conf", "train.py", "export.py"):
        (project / name).symlink_to(HOME / name)
    (project / "notebooks").mkdir()
    # no kernel of this machine or user: the one of this interpreter, without the user's settings
    kernels = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)

    @functools.cache
    def run(name):
        notebook = read(name)
        resources = {"metadata": {"path": str(project / "notebooks")}}
        manager = AsyncKernelManager(kernel_spec_manager=kernels)
        NotebookClient(notebook, km=manager, timeout=300, resources=resources).execute(cleanup_kc=True)
        return notebook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(project / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(project / "runtime"))
        patch.delenv("MPLBACKEND", raising=False)
        yield run


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_is_kept_without_outputs(name):
    assert [cell.id for cell in code_cells(read(name)) if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_from_top_to_bottom(name, executed):
    counts = [cell.execution_count for cell in code_cells(executed(name))]
    assert counts == list(range(1, len(counts) + 1))


@pytest.fixture
def shown(executed):
    """{id of a cell: all it printed and showed as text} of the first notebook."""
    return {
        cell.id: "\n".join(output.get("text") or output["data"].get("text/plain", "") for output in cell.outputs)
        for cell in code_cells(executed("01_retrieval_and_ranking"))
    }


@pytest.mark.slow
def test_first_notebook_draws_its_plots(executed):
    cells = code_cells(executed("01_retrieval_and_ranking"))
    drawn = [cell.id for cell in cells if any("image/png" in output.get("data", {}) for output in cell.outputs)]
    assert drawn == ["look", "retrieval-plot", "auc", "pair", "calibration"]


@pytest.mark.slow
def test_first_notebook_trains_a_retriever_that_learns(shown):
    assert re.search("two_tower is ahead of every\\s+baseline", shown["retrieval"])  # it has .37 where the best baseline has .23


@pytest.mark.slow
def test_first_notebook_ranks_what_the_bundle_retrieves(shown):
    assert "100 candidates, 100 predictions of each of click, conversion, click_conversion" in shown["recommend"]
    listed = re.findall(r"┆ (0\.\d+) +┆ 0\.\d+ +┆ 0\.\d+ +│", shown["recommend"])
    assert len(listed) == 10
    assert listed == sorted(listed, reverse=True)


@pytest.mark.slow
def test_first_notebook_asks_the_ranker_about_the_whole_test_week(shown):
    rows = re.search(r"([\d,]+) test \(", shown["ranking"])[1]  # as train.py counted them
    answers, served, measured = re.match(
        r"([\d,]+) answers; AUC (0\.\d+) without the position, (0\.\d+) with it", shown["calibration"]
    ).groups()
    assert answers == rows
    assert 0.58 < float(served) < float(measured)


@pytest.mark.slow
def test_first_notebook_serves_without_the_framework(shown):
    assert re.search(r"items=\[\d+, \d+, \d+\]", shown["server"])
    loaded = {"numpy": True, "onnxruntime": True, "torch": False, "polars": False, "pytorch_lightning": False}
    assert str(loaded) in shown["server"]


@pytest.fixture
def read_out(executed):
    """As `shown`, of the second notebook."""
    return {
        cell.id: "\n".join(output.get("text") or output["data"].get("text/plain", "") for output in cell.outputs)
        for cell in code_cells(executed("02_reading_a_report"))
    }


@pytest.mark.slow
def test_second_notebook_reads_what_the_metrics_say(read_out):
    mean, written = re.search(r"mean recall@20 (0\.\d+), metrics\.json says (0\.\d+)", read_out["per-user"]).groups()
    assert mean == written


@pytest.mark.slow
def test_second_notebook_finds_the_difference_that_the_program_finds(read_out):
    by_hand = re.search(r"recall@20: ([+-]0\.\d+)", read_out["bootstrap"])[1]
    printed = re.escape(by_hand.replace("-", "−"))  # the program prints a minus sign, not a hyphen
    assert re.search(rf"recall@20 +0\.\d+ +0\.\d+ +{printed}", read_out["compare"])


@pytest.mark.slow
def test_second_notebook_sees_categories_in_the_vectors(read_out):
    own, chance = map(int, re.search(r"same category: (\d+)%, by chance (\d+)%", read_out["purity"]).groups())
    assert own > 3 * chance
