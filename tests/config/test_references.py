import pytest

from recsys.config.references import expansion_faults


def faults(config, origin=None):
    return [(fault.what, fault.where) for fault in expansion_faults(config, origin or {})]


def test_references_of_ordinary_length_pass():
    assert faults({"a": "${b}/${b}", "b": "${c.d}", "c": {"d": "x" * 1000}, "e": "${missing}", "f": ["${c}", 3, None]}) == []


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
    ((what, where),) = faults(config)
    assert what.endswith("leads back to itself")
    assert where.startswith("config, key 'a")


def test_chain_of_many_references_is_refused():
    chain = {f"a{number}": f"${{a{number + 1}}}" for number in range(5_000)}
    assert len(faults({**chain, "a5000": "x"})) == 1


def test_text_that_grows_with_every_step_is_refused_with_its_place():
    laughs = {f"a{number}": f"${{a{number + 1}}}" * 10 for number in range(12)}  # 10^12 times the last
    ((what, where),) = faults({**laughs, "a12": "ha"}, {"a0": "conf/x.yaml, line 1"})
    assert what == "'" + "${a1}" * 10 + "' stands for 2,000,000,000,000 characters"
    assert where == "conf/x.yaml, line 1, key 'a0'"


def test_lists_that_grow_are_refused_too():
    assert len(faults({"a": ["x" * 100] * 100, "b": ["${a}"] * 100, "c": ["${b}"] * 100})) == 1
