import os

import pytest

from recsys.config.target import locate
from recsys.optimizer.schedule import cosine
from recsys.schema import Categorical


def test_locate_finds_classes_and_own_functions():
    assert locate("recsys.schema.Categorical") is Categorical
    assert locate("recsys.optimizer.schedule.cosine") is cosine
    assert locate("torch.optim.AdamW").__name__ == "AdamW"
    assert locate("pytorch_lightning.callbacks.EarlyStopping").__name__ == "EarlyStopping"


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "subprocess.Popen",
        "builtins.eval",
        "eval",
        "",
        "recsys",
        "recsys.",
        ".recsys.schema.Schema",
        "recsys..schema.Schema",
        "recsys.source.base.Path",  # an import of the module
        "recsys.source.base.np.load",
        "recsys.source.base.pl.read_parquet",
        "recsys.schema.json.loads",
        "recsys.schema.Schema.load",  # a method
        "recsys.schema.Schema.__init__",
        "recsys.schema.__builtins__",
        "recsys.run.resume._locked",
        "recsys.run.checkpoint.shutil.rmtree",
        "recsys.run.saver.Callback",  # defined in another package
        "recsys.source.base.Source",  # abstract
        "recsys.tower.mlp",  # a module
        "recsys.schema.PAD",  # a value
        "recsys_evil.Thing",
        "torch.optim.optimizer.pickle",
        "torch.optimizer.Adam",
        "torch.load",
        "torch.optim.swa_utils.update_bn",  # a function of another package
        "torch.hub.load",
        "pytorch_lightning.core.module.LightningModule.load_from_checkpoint",
        "pytorch_lightning.os.system",
        "pytorch_lightning.utilities.rank_zero_only",
        "pytorch_lightning.strategies.launchers.subprocess_script._SubprocessScriptLauncher",
        "logging.os.system",
        "hydra.utils.instantiate",
        "recsys.schema.Categorical()",
        "recsys.schema\n.Categorical",
        "recsys.schema.Сategorical",  # a Cyrillic letter
    ],
)
def test_locate_refuses_everything_else(name):
    with pytest.raises(ValueError, match=r"not allowed|defines no|has no module|is abstract"):
        locate(name)


def test_locate_runs_nothing_of_a_refused_target(tmp_path, monkeypatch):
    canary = tmp_path / "canary"
    (tmp_path / "evil_module.py").write_text(f"open({str(canary)!r}, 'w').close()\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="not allowed"):
        locate("evil_module.Evil")
    assert not os.path.exists(canary)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("recsys.schema.Categorial", "Categorical"),
        ("recsys.tower.mpl.MLPTower", "mlp"),
        ("recsys.towr.mlp.MLPTower", "tower"),
        ("recsys.optimizer.schedule.cosin", "cosine"),
        ("torch.optim.AdaGrad", "Adagrad"),
    ],
)
def test_locate_names_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"did you mean '{nearest}'"):
        locate(name)
