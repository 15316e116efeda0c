from functools import partial
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint

from recsys.data.read.datamodule import DataModule
from recsys.data.read.impressions import Impressions
from recsys.data.read.rows import Sequences
from recsys.errors import ConfigError


class Recorder(LightningModule):
    """Learns nothing; remembers which rows it saw."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append((batch.user * 10 + batch.item).tolist())
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.seen.append(("val", batch.user.tolist()))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def data(store, **arguments):
    return DataModule(store, **{"batch_size": 2, "eval_batch_size": 8, "num_workers": 0, "seed": 0} | arguments)


def fit(store, folder, *, resume=None, callbacks=(), max_epochs=3, limit_val_batches=0, **arguments):
    recorder = Recorder()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    trainer = Trainer(
        **quiet,
        accelerator="cpu",
        max_epochs=max_epochs,
        limit_val_batches=limit_val_batches,
        callbacks=list(callbacks),
        default_root_dir=folder,
    )
    trainer.fit(recorder, datamodule=data(store, **arguments), ckpt_path=resume)
    return recorder.seen


pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and unfinished epochs


def test_epochs_visit_every_row_in_a_new_order(store, tmp_path):
    seen = fit(store, tmp_path)
    epochs = [[row for step in seen[start : start + 3] for row in step] for start in (0, 3, 6)]
    assert [sorted(epoch) for epoch in epochs] == [[11, 12, 13, 21, 22, 23]] * 3
    assert epochs[0] != epochs[1] != epochs[2]


def test_workers_do_not_change_batches(store, tmp_path):
    assert fit(store, tmp_path, num_workers=2) == fit(store, tmp_path)


def test_a_run_interrupted_within_an_epoch_goes_on_with_the_next_step(store, tmp_path):
    every_step = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    whole = fit(store, tmp_path, callbacks=[every_step])
    for step in (1, 3, 5, 6, 8):  # within an epoch, and at its end
        assert fit(store, tmp_path, resume=tmp_path / f"step={step}.ckpt") == whole[step:]


def test_loaders_leave_the_global_random_stream_alone(store):
    seed_everything(0, verbose=False)
    before = torch.get_rng_state()
    module = data(store)
    list(module.train_dataloader())
    list(module.val_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def test_validation_sees_every_user_once(store, tmp_path):
    seen = fit(store, tmp_path, max_epochs=1, limit_val_batches=1.0, eval_batch_size=1)
    assert [users for what, users in (entry for entry in seen if entry[0] == "val")] == [[1], [2]]


def test_processes_share_rows_and_users(store):
    taken, users = [], []
    for rank in range(2):
        module = data(store, batch_size=4)
        progress = SimpleNamespace(total=SimpleNamespace(processed=0))
        loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
        module.trainer = SimpleNamespace(world_size=2, global_rank=rank, fit_loop=loop)
        batches = list(module.train_dataloader())
        assert [len(batch.user) for batch in batches] == [2, 2]
        taken += [row for batch in batches for row in (batch.user * 10 + batch.item)[batch.weight == 1].tolist()]
        users += [batch.user.tolist() for batch in module.test_dataloader()]
    assert sorted(taken) == [11, 12, 13, 21, 22, 23]
    assert users == [[1], [4]]


def test_trains_on_windows_where_asked(store):
    (batch,) = data(store, batch_size=4, rows=partial(Sequences, length=2)).train_dataloader()
    assert sorted(batch.item.tolist()) == [[1, 0], [1, 0], [2, 3], [3, 2]]


def test_a_sample_of_negatives_is_the_same_for_any_number_of_workers_and_after_an_interruption(store, tmp_path):
    asked = {"rows": Impressions, "keep_negatives": 0.5, "batch_size": 3}
    every_step = ModelCheckpoint(dirpath=tmp_path, filename="{step}", every_n_train_steps=1, save_top_k=-1)
    whole = fit(store, tmp_path, callbacks=[every_step], max_epochs=6, **asked)
    assert fit(store, tmp_path, max_epochs=6, num_workers=2, **asked) == whole
    assert fit(store, tmp_path, max_epochs=6, resume=tmp_path / "step=7.ckpt", **asked) == whole[7:]
    # six rows are clicks, each of another user and item; of the two others, ann's b (12, once more) and cid's a (31), each epoch reads one
    epochs = [[row for step in whole[start : start + 3] for row in step][:7] for start in range(0, 18, 3)]
    assert all(sorted(set(epoch) - {31}) == [11, 12, 13, 21, 22, 23] for epoch in epochs)
    assert {epoch.count(31) + epoch.count(12) for epoch in epochs} == {2}
    assert {epoch.count(31) for epoch in epochs} == {0, 1}


def test_all_negatives_are_read_as_if_there_were_no_sample(store, tmp_path):
    asked = {"rows": Impressions, "batch_size": 3}
    assert fit(store, tmp_path, keep_negatives=1.0, **asked) == fit(store, tmp_path, **asked)


def test_catalogue_holds_every_item(store):
    catalogue = data(store).catalogue
    assert catalogue.count.tolist() == [0, 2, 2, 2, 0, 0]
    assert catalogue.features["item"].tolist() == [0, 2, 3, 4, 1, 1]
    assert catalogue.features["item"].dtype == torch.int64
    assert catalogue.features["price"].tolist() == [0, 1, 2, 4, 8, 16]


def test_training_events_are_the_positives_of_training(store):
    events = data(store).training_events
    assert events.user.tolist() == [1, 1, 1, 2, 2, 2]
    assert events.item.tolist() == [1, 2, 3, 1, 3, 2]
    assert events.time.tolist() == store.time[[0, 2, 3, 6, 7, 8]].tolist()
    assert (events.num_users, events.num_items) == (5, 5)


def test_events_before_test_include_validation(store):
    events = data(store).events_before("test")
    assert events.user.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert events.item.tolist() == [1, 2, 3, 1, 1, 3, 2, 4]


def test_known_items_are_distinct_and_ascending(store):
    known = data(store).known
    assert known.start.tolist() == [0, 0, 3, 6, 6, 6, 6]
    assert known.item.tolist() == [1, 2, 3, 1, 2, 3]  # bob's a, c, b in order of item
    assert known.pairs(torch.tensor([2, 3])).tolist() == [[0, 0, 0], [1, 2, 3]]


def test_slices_of_users_and_items(store):
    module = data(store, slice_columns=["item"])
    assert [entry.name for entry in module.user_slices("val")] == ["activity", "user", "gender"]
    assert [entry.name for entry in module.item_slices("test")] == ["popularity", "item"]
    assert [entry.codes.shape[0] for entry in module.user_slices("val")] == [store.num_users + 1] * 3
    assert [entry.codes.shape[0] for entry in module.item_slices("test")] == [store.num_items + 1] * 2


def test_unknown_slice_columns_are_refused(store):
    with pytest.raises(ConfigError, match="'categry' is no Categorical"):
        data(store, slice_columns=["categry"]).setup("fit")  # before the first step


@pytest.mark.gpu
def test_a_store_kept_on_the_accelerator_gives_the_same_batches(store, tmp_path):
    module = data(store, device_resident=True, num_workers=2)
    module.trainer = Trainer(accelerator="gpu", devices=1, logger=False, default_root_dir=tmp_path)
    module.setup("fit")
    batches = list(module.train_dataloader())
    assert {batch.user.device.type for batch in batches} == {"cuda"}
    assert [batch.item.tolist() for batch in batches] == [batch.item.tolist() for batch in data(store).train_dataloader()]


def test_a_cpu_run_leaves_the_store_where_it_is(store, tmp_path):
    module = data(store, device_resident=True, num_workers=1)
    module.trainer = Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path)
    module.setup("fit")
    assert module.store is store
    assert module.num_workers == 1
