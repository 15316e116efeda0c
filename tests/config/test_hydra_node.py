import pytest

from recsys.config.hydra_node import hydra_faults

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
        ({"job_logging": {"filters": {"x": {"()": "recsys.run.memory.os.system"}}}}, "job_logging.filters.x.()"),
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
