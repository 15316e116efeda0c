import pytest

from recsys.config.refusals import expansion_faults, hydra_faults, text_faults


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${oc.decode:1}",
        "a/${now:%Y}",
        "${hydra:runtime.cwd}",
        "${ oc.env : HOME}",
        "${a.${oc.env:X}}",
        "${oc.${kind}:HOME}",  # the name of the resolver put together
        "${${kind}:HOME}",
        "${data.${name}.root}",
    ],
)
def test_resolvers_are_refused_with_their_place(text):
    faults = list(text_faults({"data": {"roots": [text]}}, {"data.roots.0": "conf/data/x.yaml, line 3"}))
    assert [fault.where for fault in faults] == ["conf/data/x.yaml, line 3, key 'data.roots.0'"]


def test_names_of_other_keys_are_not_refused():
    config = {"a": "${data.root}", "b": "${ data.features.0.column }", "c": "12:30", "data": {"root": "x", "features": [{"column": "y"}]}}
    assert list(text_faults(config, {})) == []


def test_open_values_are_named_with_their_place():
    faults = list(text_faults({"data": {"root": "???", "name": "a"}}, {"data.root": "conf/data/x.yaml, line 3"}))
    assert [(fault.what, fault.where) for fault in faults] == [("'data.root' has to be given", "conf/data/x.yaml, line 3, key 'data.root'")]


def expanded(config, origin=None):
    return [(fault.what, fault.where) for fault in expansion_faults(config, origin or {})]


def test_references_of_ordinary_length_pass():
    assert expanded({"a": "${b}/${b}", "b": "${c.d}", "c": {"d": "x" * 1000}, "e": "${missing}", "f": ["${c}", 3, None]}) == []


@pytest.mark.parametrize(
    "config",
    [
        {"a": "${a}"},
        {"a": "${b}", "b": "${c}", "c": "x${a}"},
        {"a": {"b": "${a}"}},
        {"a": ["${a.0}"]},
    ],
)
def test_reference_to_itself_is_named(config):
    ((what, where),) = expanded(config)
    assert what.endswith("leads back to itself")
    assert where.startswith("config, key 'a")


def test_chain_of_many_references_is_refused():
    chain = {f"a{number}": f"${{a{number + 1}}}" for number in range(5_000)}
    assert len(expanded({**chain, "a5000": "x"})) == 1


def test_text_that_grows_with_every_step_is_refused_with_its_place():
    laughs = {f"a{number}": f"${{a{number + 1}}}" * 10 for number in range(12)}  # 10^12 times the last
    ((what, where),) = expanded({**laughs, "a12": "ha"}, {"a0": "conf/x.yaml, line 1"})
    assert what == "'" + "${a1}" * 10 + "' stands for 2,000,000,000,000 characters"
    assert where == "conf/x.yaml, line 1, key 'a0'"


def test_lists_that_grow_are_refused_too():
    assert len(expanded({"a": ["x" * 100] * 100, "b": ["${a}"] * 100, "c": ["${b}"] * 100})) == 1


HARMLESS = {
    "callbacks": {},
    "job": {"name": "train", "env_set": {}, "env_copy": []},
    "launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
    "sweeper": {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper", "params": {"seed": "1,2"}},
    "job_logging": {
        "formatters": {"simple": {"format": "%(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": "${hydra.runtime.output_dir}/train.log"},
            "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
        },
    },
    "run": {"dir": "/tmp/${data.name}/${now:%Y-%m-%d_%H-%M-%S}"},
    "sweep": {"subdir": "${hydra.job.num}"},
    "output_subdir": None,
}


def test_hydras_own_plugins_and_log_handlers_pass():
    assert list(hydra_faults(HARMLESS)) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"callbacks": {"x": {"a": 1}}}, "callbacks"),
        ({"launcher": {"_target_": "os.system"}}, "launcher._target_"),
        ({"launcher": {"_target_": "recsys.run.checkpoint.os.system"}}, "launcher._target_"),
        ({"launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.Path"}}, "launcher._target_"),
        ({"launcher": {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"}}, "launcher._target_"),
        ({"sweeper": {"_target_": "subprocess.Popen"}}, "sweeper._target_"),
        ({"sweeper": {"_target_": "hydra_plugins.evil.os.system"}}, "sweeper._target_"),
        ({"sweeper": {**HARMLESS["sweeper"], "sampler": {"_target_": "os.system"}}}, "sweeper.sampler._target_"),
        ({"sweeper": None}, "sweeper"),
        ({"launcher": 5}, "launcher"),
        ({"sweeper": {"params": {"+hydra.verbose": "true,false"}}}, "sweeper.params"),
        ({"sweeper": {"params": {"seed": "${oc.env:SECRET}"}}}, "sweeper.params.seed"),
        ({"job_logging": {"handlers": {"x": {"()": "os.system"}}}}, "job_logging.handlers.x.()"),
        ({"job_logging": {"handlers": {"x": {"()": "logging.os.system"}}}}, "job_logging.handlers.x.()"),
        ({"job_logging": {"handlers": {"x": {"()": "logging.config.fileConfig"}}}}, "job_logging.handlers.x.()"),
        ({"job_logging": {"handlers": {"x": {"class": "logging.handlers.SocketHandler"}}}}, "job_logging.handlers.x.class"),
        ({"job_logging": {"filters": {"x": {"()": "recsys.run.process.os.system"}}}}, "job_logging.filters.x.()"),
        ({"hydra_logging": {"formatters": {"x": {"class": "subprocess.Popen"}}}}, "hydra_logging.formatters.x.class"),
        ({"job_logging": {"handlers": {"x": {"stream": "ext://os.environ"}}}}, "job_logging.handlers.x.stream"),
        ({"job_logging": {"handlers": {"x": {"stream": "ext://sys.stdout.buffer"}}}}, "job_logging.handlers.x.stream"),
        ({"job_logging": {"handlers": {"x": {"stream": "cfg://handlers"}}}}, "job_logging.handlers.x.stream"),
        ({"job_logging": {"handlers": {"x": {"filename": "/root/.bashrc"}}}}, "job_logging.handlers.x.filename"),
        ({"job_logging": {"handlers": {"x": {"filename": "${hydra.runtime.output_dir}/../x.log"}}}}, "job_logging.handlers.x.filename"),
        ({"run": {"dir": "${oc.env:SECRET}"}}, "run.dir"),
        ({"run": {"dir": "${oc.${data.name}:SECRET}"}}, "run.dir"),
        ({"run": {"dir": "${now:${oc.env:SECRET}}"}}, "run.dir"),
        ({"output_subdir": "${oc.env:SECRET}"}, "output_subdir"),
        ({"output_subdir": "../elsewhere"}, "output_subdir"),
        ({"output_subdir": "/elsewhere"}, "output_subdir"),
        ({"sweep": {"subdir": "../../${hydra.job.num}"}}, "sweep.subdir"),
        ({"job": {"name": "../../x"}}, "job.name"),
        ({"job": {"env_set": {"LD_PRELOAD": "x.so"}}}, "job.env_set"),
        ({"job": {"env_copy": ["SECRET"]}}, "job.env_copy"),
        ({"searchpath": ["pkg://evil"]}, "searchpath"),
        ({"mode": "MULTIRUN"}, "mode"),
    ],
)
def test_other_things_that_hydra_would_build_read_or_write_are_refused(change, key):
    assert [fault.where for fault in hydra_faults({**HARMLESS, **change})] == [f"key 'hydra.{key}'"]
