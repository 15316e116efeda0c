import pytest
import yaml

from recsys.config.compose import earlier_run
from recsys.errors import ConfigError, IntegrityError

SAVED = {"seed": 0, "loss": {"_target_": "x", "t": 0.1}, "trainer": {"max_epochs": 2}, "list": [1]}


@pytest.fixture
def run(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"format": 3, **SAVED}))
    return tmp_path


def test_a_run_goes_on_with_its_own_config(run):
    assert earlier_run([f"resume={run}"]) == (run, {**SAVED, "resume": str(run)})


def test_single_keys_may_be_given(run):
    _, config = earlier_run([f"resume={run}", "trainer.max_epochs=5", "trainer.precision=bf16-mixed", "allow_change=[trainer]", "seed=1"])
    assert config["trainer"] == {"max_epochs": 5, "precision": "bf16-mixed"}
    assert config["allow_change"] == ["trainer"]
    assert config["seed"] == 1


@pytest.mark.parametrize("texts", [[], ["seed=1"], ["resume=auto"], ["resume=null"]])
def test_nothing_is_named(texts):
    assert earlier_run(texts) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("loss=bpr", "no other parts are chosen"),
        ("tower@model.user=mlp", "no other parts are chosen"),
        ("data/source=x", "no other parts are chosen"),
        ("nothing.there=1", "no other parts are chosen"),
        ("hydra.run.dir=x", "its own directory"),
        ("~trainer", "single values"),
        ("seed=1,2", "single values"),
        ("seed=[", "cannot read 'seed=\\['"),
    ],
)
def test_what_cannot_be_given_is_named(run, text, what):
    with pytest.raises(ConfigError, match=what):
        earlier_run([f"resume={run}", text])


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no config\.yaml[^\n]*\n.*" + str(tmp_path)):
        earlier_run([f"resume={tmp_path}"])


def test_a_path_may_hold_what_hydra_reads_otherwise(tmp_path):
    run = tmp_path / "it's,a=run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump({"format": 3, **SAVED}))
    name = str(run).replace("'", "\\'")
    assert earlier_run([f"resume='{name}'"])[0] == run


def test_a_link_within_the_run_such_as_its_bundle_is_no_harm(run):
    (run / "bundle-0123abcd").mkdir()
    (run / "bundle").symlink_to("bundle-0123abcd")
    assert earlier_run([f"resume={run}"])[0] == run


@pytest.mark.parametrize("name", ["metrics.jsonl", "checkpoints", ".lock", "anything"])
def test_a_run_with_links_is_not_gone_on_with(run, name, tmp_path_factory):
    (run / name).symlink_to(tmp_path_factory.mktemp("outside"))
    with pytest.raises(IntegrityError, match=f"it leads to .*outside(.|\n)*{name}"):
        earlier_run([f"++resume={run}"])
