"""Threads by affinity, quota and the user; bfloat16 by the processor's flags."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from recsys import machine

HOME = Path(__file__).parent.parent
AVX2 = "processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t\t: fpu sse2 avx avx2 fma\n\nprocessor\t: 1\nflags\t\t: amx_bf16\n"
AMX = "processor\t: 0\nmodel name\t: Xeon 8481C\nflags\t\t: fpu avx2 avx512f amx_bf16 amx_tile\n"
ZEN4 = "processor\t: 0\nmodel name\t: AMD EPYC 9654\nflags\t\t: fpu avx2 avx512f avx512_bf16\n"
GRAVITON2 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes asimddp\n"
GRAVITON3 = "processor\t: 0\nFeatures\t: fp asimd evtstrm sve i8mm bf16\n"


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Writes this process's membership, and files of control groups."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")

    def write(membership, **files):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


@pytest.fixture
def visible(monkeypatch, tmp_path):
    """Sets the hardware threads that this process may run on, and which of them share a core."""

    def see(*numbers, siblings=()):
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(numbers), raising=False)
        monkeypatch.setattr(machine, "TOPOLOGY", tmp_path / "cpu")
        for pair in siblings:
            for number in pair:
                folder = tmp_path / "cpu" / f"cpu{number}" / "topology"
                folder.mkdir(parents=True)
                (folder / "thread_siblings_list").write_text(",".join(map(str, pair)) + "\n")

    return see


@pytest.mark.parametrize(
    ("membership", "files", "left"),
    [
        ("0::/\n", {}, 1000),  # no limit: what the machine has
        ("0::/\n", {"memory_DOT_max": "max\n", "memory_DOT_current": "5\n"}, 1000),
        ("0::/\n", {"memory_DOT_max": "700\n", "memory_DOT_current": "100\n"}, 600),
        (
            "0::/job\n",
            {"memory_DOT_max": "700\n", "memory_DOT_current": "0\n", "job__memory_DOT_max": "90\n", "job__memory_DOT_current": "50\n"},
            40,
        ),
        ("0::/job\n", {"job__memory_DOT_max": "90\n", "job__memory_DOT_current": "95\n"}, 0),
        (
            "4:memory:/job\n3:cpu,cpuacct:/job\n",
            {"memory__job__memory_DOT_limit_in_bytes": "80\n", "memory__job__memory_DOT_usage_in_bytes": "20\n"},
            60,
        ),
    ],
)
def test_memory_is_what_every_control_group_leaves(cgroup, monkeypatch, membership, files, left):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    cgroup(membership, **files)
    assert machine.free_memory() == left


def test_no_quota_where_there_is_no_control_group(cgroup):
    assert machine.cpu_quota() is None
    cgroup("0::/\n", cpu_DOT_max="max 100000\n")
    assert machine.cpu_quota() is None


def test_quota_of_a_container_is_read(cgroup):
    cgroup("0::/\n", cpu_DOT_max="150000 100000\n")
    assert machine.cpu_quota() == 1.5


def test_least_quota_of_all_groups_above_counts(cgroup):
    groups = {"cpu_DOT_max": "max 100000", "pod__cpu_DOT_max": "100000 100000", "pod__job__cpu_DOT_max": "400000 100000"}
    cgroup("0::/pod/job\n", **groups)
    assert machine.cpu_quota() == 1.0


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
def test_quota_of_the_first_control_groups_is_read(cgroup, mount):
    files = {f"{mount}__docker__cpu_DOT_cfs_quota_us": "200000\n", f"{mount}__docker__cpu_DOT_cfs_period_us": "100000\n"}
    files |= {f"{mount}__cpu_DOT_cfs_quota_us": "-1\n", f"{mount}__cpu_DOT_cfs_period_us": "100000\n"}
    cgroup("5:memory:/docker\n4:cpu,cpuacct:/docker\n0::/\n", **files)
    assert machine.cpu_quota() == 2.0


def test_threads_of_one_core_count_once(visible):
    visible(0, 1, 2, 3, siblings=[(0, 2), (1, 3)])
    assert machine.cores() == 2


def test_threads_are_those_of_the_affinity(cgroup, visible):
    visible(3, 5, 6)
    assert machine.threads() == 3


@pytest.mark.parametrize(("quota", "threads"), [("100000", 1), ("50000", 1), ("150000", 2), ("800000", 2)])
def test_quota_bounds_the_threads(cgroup, visible, quota, threads):
    visible(0, 1)
    cgroup("0::/\n", cpu_DOT_max=f"{quota} 100000")
    assert machine.threads() == threads


def test_choice_is_written_where_the_user_made_none(cgroup, visible):
    visible(0, 1)
    environment = {}
    machine.choose_threads(environment)
    assert (environment["OMP_NUM_THREADS"], environment["OMP_WAIT_POLICY"]) == ("2", "PASSIVE")
    assert machine.is_chosen(environment)


def test_choice_of_the_user_wins(cgroup, visible):
    visible(0, 1)
    environment = {"OMP_NUM_THREADS": "7", "OMP_WAIT_POLICY": "ACTIVE", "RECSYS_PROCESSES": "2"}
    machine.choose_threads(environment)
    assert (environment["OMP_NUM_THREADS"], environment["OMP_WAIT_POLICY"]) == ("7", "ACTIVE")
    assert not machine.is_chosen(environment)


def test_processes_of_one_machine_share_its_cores(cgroup, visible):
    visible(*range(8))
    parent = {}
    machine.choose_threads(parent)
    child = {**parent, "RECSYS_PROCESSES": "3"}
    machine.choose_threads(child)
    many = {**parent, "RECSYS_PROCESSES": "20"}
    machine.choose_threads(many)
    assert (parent["OMP_NUM_THREADS"], child["OMP_NUM_THREADS"], many["OMP_NUM_THREADS"]) == ("8", "2", "1")


def test_line_says_number_reason_and_override(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RECSYS_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    facts = {"threads": 1, "wait": "PASSIVE", "from": "machine", "cores": 2, "quota": 0.5, "processes": 1}
    line = machine.thread_line(facts)
    assert all(word in line for word in ("1 of 2 cores", "passive", "quota of 0.5", "OMP_NUM_THREADS", "OMP_WAIT_POLICY"))
    assert "quota" not in machine.thread_line({**facts, "quota": None})
    assert "3 processes" in machine.thread_line({**facts, "processes": 3})
    assert "OMP_NUM_THREADS=1" in machine.thread_line({**facts, "from": "OMP_NUM_THREADS"})
    assert "before recsys" in machine.thread_line({**facts, "threads": 2})


@pytest.mark.parametrize(
    ("cpuinfo", "fast"), [(AVX2, False), (AMX, True), (ZEN4, True), (GRAVITON2, False), (GRAVITON3, True), ("", False)]
)
def test_bfloat16_is_fast_where_the_first_core_multiplies_in_it(tmp_path, monkeypatch, cpuinfo, fast):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert machine.is_bf16_fast_on_cpu() is fast


def run(code, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "RECSYS_"))}
    inherited |= {"PYTHONPATH": str(HOME), **environment}
    return subprocess.run([sys.executable, "-c", code], env=inherited, capture_output=True, text=True, check=True).stdout.split()


def test_package_chooses_before_it_imports_torch():
    code = "import sys, os, recsys; print('torch' in sys.modules, 'psutil' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    assert run(code) == ["False", "False", "PASSIVE"]


@pytest.mark.parametrize("module", ["train", "export", "recsys.program", "recsys.infer.__main__"])
def test_every_program_chooses_before_it_imports_torch(module):
    seen = "import sys, os\nclass Spy:\n  def find_spec(self, name, path=None, target=None):\n"
    seen += "    if name == 'torch' and not Spy.seen: Spy.seen = os.environ.get('OMP_WAIT_POLICY', 'none')\n  seen = ''\n"
    code = f"{seen}sys.meta_path.insert(0, Spy())\nimport {module}, torch\nprint(Spy.seen)"
    assert run(code) == ["PASSIVE"]
