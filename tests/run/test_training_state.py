"""Runs that are stopped anywhere and go on end as if they had never been stopped."""

import json
import signal

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn
from torch.utils.data import DataLoader

from recsys.data.read.steps import StepSampler
from recsys.errors import ConfigError, IntegrityError
from recsys.run.checkpoint import load_checkpoint, load_state
from recsys.run.lightning_internals import Place
from recsys.run.metrics_log import MetricsLog
from recsys.run.saver import Checkpoints
from recsys.run.training_state import _packed, _unpacked, restore
from recsys.task.base import seed_step

STEPS, EPOCHS = 4, 3
SCORES = {4: 0.3, 8: 0.2, 12: 0.1}
"""{step: what validation says there}, so that the first epoch is the best."""


class Dropped(LightningModule):
    """Fits a line to numbers through dropout, and remembers which batches it saw."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.model = nn.Linear(4, 4)
        self.register_buffer("queue", torch.zeros(2))
        self.batches = []

    def on_train_batch_start(self, batch, batch_idx):
        seed_step(self, 0)

    def training_step(self, batch, batch_idx):
        self.batches.append(int(batch))
        self.queue.copy_(torch.stack([self.queue[1], batch.float()]))
        loss = (self.model(nn.functional.dropout(torch.ones(8, 4), 0.5)) - batch - self.queue[0]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/score", SCORES.get(self.trainer.global_step, 0.0))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.1)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)), "interval": "step"},
        }


class Halt(Callback):
    """Ends a run at a hook, when it is called the n-th time."""

    def __init__(self, hook, count, way):
        self.left, self.way = count, way
        setattr(self, hook, self.come)

    def come(self, *_):
        self.left -= 1
        if self.left == 0:
            self.way()


def killed():
    raise RuntimeError("killed")


def asked_to_stop():
    signal.raise_signal(signal.SIGTERM)


def run(folder, *callbacks, resume=False, patience=9, workers=0, epochs=EPOCHS, every_s=1e-9, looks_late=False, **options):
    """The module and the batches it saw of one process; every step is saved."""
    checkpoints = Checkpoints("val/score", "max", every_s=every_s)
    last = folder / "checkpoints" / "last"
    if resume and last.exists():
        checkpoints.resume_from = last
    early = EarlyStopping("val/score", mode="max", patience=patience, check_on_train_epoch_end=looks_late or None)
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[checkpoints, early, *callbacks],
        logger=MetricsLog(folder / "metrics.jsonl"),
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        **options,
    )
    module = Dropped()
    sampler = StepSampler(STEPS, lambda: trainer.fit_loop.epoch_loop.batch_progress.total.processed)
    numbers = torch.arange(100)
    batches = DataLoader(numbers, batch_size=None, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
    try:
        trainer.fit(module, batches, DataLoader(torch.zeros(2), batch_size=None))
    except (RuntimeError, SystemExit) as error:
        module.ended = error
    return module


def left(folder):
    """Everything that a run leaves: weights, state, metrics."""
    found = {name: (folder / "checkpoints" / name / "model.safetensors").read_bytes() for name in ("best", "last")}
    tensors, document = load_state(folder / "checkpoints" / "last")
    assert tensors["optimizers/2"].any()  # a moment of the optimizer
    logged = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return found, {name: tensor.tolist() for name, tensor in tensors.items()}, document, logged


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run leaves that was never stopped, by its options."""
    made = {}

    def whole(**options):
        key = str(sorted(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("whole")
            run(folder, **options)
            made[key] = left(folder)
        return made[key]

    return whole


@pytest.mark.parametrize("count", range(1, STEPS * EPOCHS + 1))
@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_before_optimizer_step", "on_train_batch_end"])
def test_a_run_that_is_killed_at_any_step_ends_the_same(tmp_path, whole, hook, count):
    assert str(run(tmp_path, Halt(hook, count, killed)).ended) == "killed"
    run(tmp_path, resume=True)
    assert left(tmp_path) == whole()


@pytest.mark.parametrize("hook", ["on_validation_start", "on_validation_batch_end", "on_validation_end", "on_train_epoch_end"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_that_is_killed_around_an_evaluation_ends_the_same(tmp_path, whole, hook, count):
    run(tmp_path, Halt(hook, count, killed))
    run(tmp_path, resume=True)
    assert left(tmp_path) == whole()


@pytest.mark.parametrize(
    ("hook", "count"), [("on_train_batch_end", 1), ("on_train_batch_end", 4), ("on_validation_start", 1), ("on_validation_start", 3)]
)
@pytest.mark.parametrize("options", [{}, {"val_check_interval": 2}, {"workers": 2}, {"accumulate_grad_batches": 2}], ids=str)
def test_a_run_that_is_asked_to_stop_says_so_loses_nothing_and_ends_the_same(tmp_path, whole, capsys, hook, count, options):
    stopped = run(tmp_path, Halt(hook, count, asked_to_stop), every_s=1e9, **options)
    assert stopped.ended.code == 143
    assert f"go on with: python train.py resume={tmp_path}" in capsys.readouterr().err
    resumed = run(tmp_path, resume=True, every_s=1e9, **options)
    assert stopped.batches + resumed.batches == list(range(STEPS * EPOCHS))  # each once
    assert left(tmp_path) == whole(every_s=1e9, **options)


def test_a_run_that_is_killed_many_times_ends_the_same(tmp_path, whole):
    for _ in range(STEPS * EPOCHS):
        run(tmp_path, Halt("on_train_batch_end", 2, killed), resume=True)
    assert left(tmp_path) == whole()


def test_early_stopping_goes_on_counting(tmp_path, whole):
    assert len(whole(patience=1)[3]) == 10  # 8 steps and 2 evaluations
    run(tmp_path, Halt("on_train_batch_end", 6, killed), patience=1)
    run(tmp_path, resume=True, patience=1)
    assert left(tmp_path) == whole(patience=1)
    again = run(tmp_path, resume=True, patience=1)
    assert again.batches == []  # it was stopped, not interrupted
    assert left(tmp_path) == whole(patience=1)


def test_early_stopping_may_look_at_the_end_of_an_epoch_that_a_resumed_run_did_not_validate(tmp_path, whole):
    options = {"val_check_interval": 3, "looks_late": True}
    run(tmp_path, Halt("on_train_batch_start", 4, killed), **options)  # the validation of this epoch is over
    assert not hasattr(run(tmp_path, resume=True, **options), "ended")
    assert left(tmp_path) == whole(**options)


def test_a_finished_run_can_be_made_longer(tmp_path, whole):
    run(tmp_path, epochs=2)
    longer = run(tmp_path, resume=True)
    assert longer.batches == list(range(2 * STEPS, 3 * STEPS))
    assert left(tmp_path) == whole()


@pytest.mark.parametrize("lost", ["optimizers", "schedulers", "callbacks", "task"])
def test_this_file_would_see_a_state_that_is_not_kept(tmp_path, whole, lost, monkeypatch):
    """What is said above is worth something only if a loss shows."""
    kept = {
        "optimizers": (torch.optim.AdamW, "load_state_dict"),
        "schedulers": (torch.optim.lr_scheduler.LambdaLR, "load_state_dict"),
        "callbacks": (Checkpoints, "load_state_dict"),
        "task": (LightningModule, "load_state_dict"),
    }[lost]
    run(tmp_path, Halt("on_train_batch_end", 6, killed))
    monkeypatch.setattr(*kept, lambda *_, **__: None)
    run(tmp_path, resume=True)
    assert left(tmp_path) != whole()


def test_a_state_of_another_optimizer_is_refused(tmp_path, monkeypatch):
    run(tmp_path, Halt("on_train_batch_end", 6, killed))
    monkeypatch.setattr(Dropped, "configure_optimizers", lambda self: [torch.optim.SGD(self.parameters(), lr=0.1) for _ in range(2)])
    monkeypatch.setattr(Dropped, "automatic_optimization", False)
    with pytest.raises(IntegrityError, match="belongs to another model or optimizer"):
        raise run_error(tmp_path)


def run_error(folder):
    try:
        run(folder, resume=True)
    except IntegrityError as error:
        return error


def test_rates_and_patience_are_those_of_the_config_that_goes_on(tmp_path, monkeypatch):
    run(tmp_path, Halt("on_train_batch_end", 6, killed))
    monkeypatch.setattr(
        Dropped,
        "configure_optimizers",
        lambda self: {
            "optimizer": (optimizer := torch.optim.AdamW(self.parameters(), lr=0.4, weight_decay=0.7)),
            "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step)), "interval": "step"},
        },
    )
    module = run(tmp_path, resume=True, patience=5)
    (group,) = module.optimizers().param_groups
    assert group["weight_decay"] == 0.7
    assert group["lr"] == pytest.approx(0.4 / (1 + STEPS * EPOCHS))
    assert next(each for each in module.trainer.callbacks if isinstance(each, EarlyStopping)).patience == 5


def test_more_patience_lets_a_run_go_on_that_was_stopped_early(tmp_path):
    assert len(run(tmp_path, patience=1).batches) == 8
    assert run(tmp_path, resume=True, patience=1).batches == []
    assert run(tmp_path, resume=True, patience=2).batches == [8, 9, 10, 11]


def test_the_best_of_another_metric_does_not_count(tmp_path):
    kept = Checkpoints("val/score", "max")
    kept.best = 0.9
    for monitor, mode, best in [("val/score", "max", 0.9), ("val/other", "max", None), ("val/score", "min", None)]:
        again = Checkpoints(monitor, mode)
        again.load_state_dict(kept.state_dict())
        assert again.best == best


def test_a_run_that_was_killed_before_it_was_saved_logs_every_step_once(tmp_path, whole):
    run(tmp_path, Halt("on_train_batch_end", 3, killed), every_s=1e9)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": ')  # the last line of a killed process
    run(tmp_path, every_s=1e9)
    assert left(tmp_path) == whole(every_s=1e9)


def test_a_log_that_was_lost_is_not_gone_on_with(tmp_path):
    run(tmp_path, Halt("on_train_batch_end", 6, killed))
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(IntegrityError, match="it has 0 bytes, and "):
        run(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("place", {"epoch": "1"}), ("place", []), ("place", None), ("logged", ["x"]), ("logged", 3), ("metrics", 1), ("optimizers", "x")],
)
def test_a_state_that_says_something_else_is_refused(tmp_path, monkeypatch, key, value):
    run(tmp_path, Halt("on_train_batch_end", 2, killed))
    tensors, document = load_state(tmp_path / "checkpoints" / "last")
    broken = document | {key: document["place"] | value if isinstance(value, dict) else value}
    monkeypatch.setattr("recsys.run.saver.load_state", lambda folder: (tensors, broken))
    with pytest.raises(IntegrityError, match=r"checkpoints/last"):
        run(tmp_path, resume=True)


@pytest.mark.parametrize("key", ["place", "processes", "task", "optimizers", "schedulers", "precision", "callbacks", "metrics", "logged"])
def test_a_state_that_lacks_something_is_refused(tmp_path, monkeypatch, key):
    run(tmp_path, Halt("on_train_batch_end", 2, killed))
    tensors, document = load_state(tmp_path / "checkpoints" / "last")
    del document[key]
    monkeypatch.setattr("recsys.run.saver.load_state", lambda folder: (tensors, document))
    with pytest.raises(IntegrityError, match=r"checkpoints/last"):
        run(tmp_path, resume=True)


def test_another_number_of_processes_is_refused(tmp_path):
    run(tmp_path, Halt("on_train_batch_end", 6, killed))
    tensors, document = load_state(tmp_path / "checkpoints" / "last")
    trainer = Trainer(logger=False, enable_checkpointing=False)
    with pytest.raises(ConfigError, match="the run had 2 processes, now there are 1"):
        restore(trainer, Dropped(), tensors, document | {"processes": 2})


def test_a_validation_within_a_step_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="a validation every 3 batches falls between the 2 batches of a step"):
        run(tmp_path, val_check_interval=3, accumulate_grad_batches=2)


def test_asked_to_stop_in_the_last_validation_a_run_is_not_tested(tmp_path, whole):
    stopped = run(tmp_path, Halt("on_validation_end", 3, asked_to_stop))
    assert stopped.ended.code == 143
    assert left(tmp_path) == whole()


def test_values_of_every_kind_come_back():
    value = {"a": (1, [2.5, None]), 3: {"t": torch.arange(2)}, "inf": float("inf"), "flag": True, "text": "x"}
    tensors = {}
    document = json.loads(json.dumps(_packed(value, tensors, "me")))
    back = _unpacked(document, tensors)
    assert torch.equal(back[3].pop("t"), value[3].pop("t"))
    assert back == value


def test_what_no_checkpoint_can_keep_is_named():
    with pytest.raises(ConfigError, match="its state holds a set"):
        _packed({"seen": {1, 2}}, {}, "callbacks")


def test_place_before_the_first_step_is_the_beginning(tmp_path):
    run(tmp_path, Halt("on_train_batch_end", 1, asked_to_stop), every_s=1e9)
    place = load_state(tmp_path / "checkpoints" / "last")[1]["place"]
    assert Place(**place) == Place(epoch=0, batches=1, batches_in_epoch=1, steps=1, validation_due=False, epoch_ends=False, stopped=False)
    assert load_checkpoint(nn.Linear(4, 4), tmp_path / "checkpoints" / "last")["metrics"] == {}
