import pytest

from recsys.config.overrides import as_override
from recsys.sweep.sweep_config import Range, grid_size, sweep_faults, varied_space

GOOD = {
    "objectives": {"val/recall@20": "max"},
    "space": {"optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True}, "loss": ["softmax", "bpr"]},
    "sampler": "tpe",
    "trials": 10,
    "pruner": "median",
    "seed": 0,
}
ORIGIN = {"": "conf/sweep/mine.yaml, line 1", "space.loss": "conf/sweep/mine.yaml, line 9"}


def fault_places(**changes):
    return [(fault.what, fault.where) for fault in sweep_faults({**GOOD, **changes}, ORIGIN)]


def test_good_sweep_passes():
    assert fault_places() == []
    assert fault_places(sampler="grid", trials=None, space={"loss": ["softmax", "bpr"], "dim": {"low": 8, "high": 16, "step": 4}}) == []
    assert fault_places(pruner=None, objectives={"val/recall@20": "max", "bundle/p99_ms": "min"}) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"objectives": {}}, "a sweep without an objective"),
        ({"objectives": {"test/recall@20": "max"}, "pruner": None}, "'test/recall@20' is a test metric"),
        ({"objectives": {"baseline/ease/test/recall@20": "max"}, "pruner": None}, "is a test metric"),
        ({"objectives": {"bundle/size": "min"}, "pruner": None}, "'bundle/size' is no objective; did you mean 'bundle/size_mb'?"),
        ({"objectives": {"val/recall@20": "most"}}, "takes one of max, min, got the text 'most'"),
        ({"objectives": {"val/recall@20": "max", "val/ndcg@20": "max"}}, "only a sweep with one validation metric"),
        ({"objectives": {"bundle/size_mb": "min"}}, "only a sweep with one validation metric"),
        ({"space": {}}, "nothing varies between the trials"),
        ({"space": {"loss": []}}, "'loss' has no values"),
        ({"space": {"loss": "bpr"}}, "'loss' has no values"),
        ({"space": {"loss": ["bpr", "bpr"]}}, "'loss' has the same value twice"),
        ({"space": {"loss": ["${data.root}"]}}, "neither a number, a text nor a list"),
        ({"space": {"x": {"low": 1}}}, "'high' is missing"),
        ({"space": {"x": {"low": 1, "high": 2, "stepp": 1}}}, "nothing is called 'stepp' in the config; did you mean 'step'?"),
        ({"space": {"x": {"low": 2, "high": 1}}}, "'x' goes from 2 to 1"),
        ({"space": {"x": {"low": 0.0, "high": 1.0, "log": True}}}, "'x' starts at 0.0, which has no logarithm"),
        ({"space": {"x": {"low": 0.0, "high": 1.0, "step": 2.0}}}, "'x' has a step of 2.0"),
        ({"space": {"x": {"low": 1, "high": 9, "step": 2, "log": True}}}, "'x' has a step of 2"),
        ({"space": {"hydra.run.dir": ["/a", "/b"]}}, "a sweep may not change 'hydra.run.dir'"),
        ({"sampler": "tpee"}, "did you mean 'tpe'?"),
        ({"sampler": "grid"}, "a grid has no end over optimizer.lr"),
        ({"sampler": "grid", "space": {"loss": ["a", "b"]}, "trials": 3}, "3 trials, but the grid has 2 points"),
        ({"space": {"x": list(range(1001))}}, "'x' has 1,001 values"),
        ({"sampler": "grid", "space": {"x": {"low": 0, "high": 10**12}}}, "a grid of 1,000,000,000,001 points"),
        ({"trials": None}, "sampler tpe would never end"),
        ({"trials": 0}, "at least 1 or null, got 0"),
        ({"pruner": "meridian"}, "did you mean 'median'?"),
    ],
)
def test_what_no_sweep_can_be_is_refused(changes, what):
    (found,) = fault_places(**changes)
    assert what in found[0]


def test_fault_names_file_line_and_key():
    assert fault_places(space={"loss": []}) == [("'loss' has no values", "conf/sweep/mine.yaml, line 9, key 'space.loss'")]
    ((what, where),) = fault_places(trials=0)
    assert "got 0" in what
    assert where == "conf/sweep/mine.yaml, line 1, key 'trials'"


def test_range_is_whole_only_where_everything_is():
    assert Range(1, 5).is_integer
    assert not Range(1, 5.0).is_integer
    assert not Range(0, 1, step=0.5).is_integer


def test_grid_counts_both_ends_of_a_range():
    assert Range(0.0, 0.3, step=0.1).values() == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert grid_size({"a": ["x", "y"], "b": Range(1, 3)}) == 6
    assert grid_size({"a": ["x", "y"], "b": Range(0.0, 1.0)}) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bpr", "k=bpr"),
        ("/a/b", "k=/a/b"),
        ("1e-3", "k='1e-3'"),
        ("null", "k='null'"),
        ("it's", r"k='it\'s'"),
        (r"a\b", r"k='a\b'"),
        ("a\\'b", r"k='a\\\'b'"),
        ("a\\", r"k='a\\'"),
        (None, "k=null"),
        (True, "k=true"),
        (1e-05, "k=1e-05"),
        ([64, "a b", None], "k=[64,'a b',null]"),
    ],
)
def test_value_is_written_as_hydra_reads_it(value, text):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import QuotedString

    assert as_override("k", value) == text

    def plain(read):
        return [plain(entry) for entry in read] if isinstance(read, list) else read.text if isinstance(read, QuotedString) else read

    assert plain(OverridesParser.create().parse_override(text).value()) == value


def test_command_line_closes_a_part_of_the_space():
    assert varied_space({"loss": ["a"], "seed": [1]}, ["loss=bpr", "++model.dim=3"]) == {"seed": [1]}
