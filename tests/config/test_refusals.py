import pytest

from recsys.config.refusals import hydra_faults, missing_faults, resolver_faults


@pytest.mark.parametrize(
    "text", ["${oc.env:HOME}", "${oc.decode:1}", "a/${now:%Y}", "${hydra:runtime.cwd}", "${ oc.env : HOME}", "${a.${oc.env:X}}"]
)
def test_resolvers_are_refused_with_their_place(text):
    faults = list(resolver_faults({"data": {"roots": [text]}}, {"data.roots.0": "conf/data/x.yaml, line 3"}))
    assert [fault.where for fault in faults] == ["conf/data/x.yaml, line 3, key 'data.roots.0'"]


def test_names_of_other_keys_are_not_refused():
    assert list(resolver_faults({"a": "${data.root}", "b": "${data.${name}.root}", "c": "12:30"}, {})) == []


def test_open_values_are_named_with_their_place():
    faults = list(missing_faults({"data": {"root": "???", "name": "a"}}, {"data.root": "conf/data/x.yaml, line 3"}))
    assert [(fault.what, fault.where) for fault in faults] == [("'data.root' has to be given", "conf/data/x.yaml, line 3, key 'data.root'")]


HARMLESS = {
    "callbacks": {},
    "launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
    "job_logging": {"handlers": {"file": {"class": "logging.FileHandler", "stream": "ext://sys.stdout"}}},
}


def test_hydras_own_plugins_and_log_handlers_pass():
    assert list(hydra_faults(HARMLESS)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"callbacks": {"x": {"a": 1}}},
        {"launcher": {"_target_": "os.system"}},
        {"sweeper": {"_target_": "subprocess.Popen"}},
        {"job_logging": {"handlers": {"x": {"()": "os.system"}}}},
        {"hydra_logging": {"formatters": {"x": {"class": "subprocess.Popen"}}}},
        {"job_logging": {"handlers": {"x": {"class": "logging.StreamHandler", "stream": "ext://os.environ"}}}},
        {"run": {"dir": "${oc.env:SECRET}"}},
    ],
)
def test_other_things_that_hydra_would_build_are_refused(change):
    assert len(list(hydra_faults({**HARMLESS, **change}))) == 1
