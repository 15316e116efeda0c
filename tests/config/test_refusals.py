import pytest

from recsys.config.refusals import missing_faults, resolver_faults, text_faults


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
    faults = list(resolver_faults({"data": {"roots": [text]}}, {"data.roots.0": "conf/data/x.yaml, line 3"}))
    assert [fault.where for fault in faults] == ["conf/data/x.yaml, line 3, key 'data.roots.0'"]


def test_names_of_other_keys_are_not_refused():
    config = {"a": "${data.root}", "b": "${ data.features.0.column }", "c": "12:30", "data": {"root": "x", "features": [{"column": "y"}]}}
    assert list(text_faults(config, {})) == []


def test_open_values_are_named_with_their_place():
    faults = list(missing_faults({"data": {"root": "???", "name": "a"}}, {"data.root": "conf/data/x.yaml, line 3"}))
    assert [(fault.what, fault.where) for fault in faults] == [("'data.root' has to be given", "conf/data/x.yaml, line 3, key 'data.root'")]
