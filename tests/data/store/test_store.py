import json
import pickle
import random
import shutil
from datetime import UTC, datetime

import pytest
import torch

from recsys.data.read.rows import EvaluationUsers
from recsys.data.store import MANIFEST, Store, file_name, read_manifest
from recsys.data.store.prepare import check_sources
from recsys.data.store.raw_categories import copy_raw_categories
from recsys.disk.sums import SUMS
from recsys.errors import IntegrityError


def micro(day):
    return int(datetime(2024, 1, day, tzinfo=UTC).timestamp()) * 1_000_000


def test_rows_are_sorted_by_user_split_and_time(store):
    assert store.user.tolist() == [1] * 6 + [2] * 5 + [3, 4]
    assert store.item.tolist() == [1, 2, 2, 3, 1, 4, 1, 3, 2, 4, 3, 1, 1]
    assert store.split.tolist() == [0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 2, 0, 2]
    assert store.time.tolist() == [micro(day) for day in (1, 2, 3, 5, 9, 12, 2, 4, 6, 9, 13, 7, 12)]
    assert store.labels["click"].tolist() == [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1]
    assert store.boundaries == {"val": micro(8), "test": micro(11), "end": micro(13) + 1}


def test_events_are_ranges_of_clicks(store):
    assert store.event_row.tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9, 12]
    assert store.event_item.tolist() == [1, 2, 3, 1, 4, 1, 3, 2, 4, 1]
    assert store.event_split.tolist() == [0, 0, 0, 1, 2, 0, 0, 0, 1, 2]
    assert store.event_start.tolist() == [0, 0, 5, 9, 9, 10, 10]
    assert store.history_stop.tolist() == [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9]
    assert store.item_count.tolist() == [0, 2, 2, 2, 0, 0]


def test_dtypes_are_as_promised(store):
    expected = {"user": torch.int32, "item": torch.int32, "time": torch.int64, "split": torch.uint8, "history_stop": torch.int64}
    expected |= {"event_item": torch.int32, "event_time": torch.int64, "event_split": torch.uint8, "event_row": torch.int64}
    expected |= {"event_start": torch.int64, "item_count": torch.int64}
    assert {name: vars(store)[name].dtype for name in expected} == expected
    assert store.user_features["gender"].dtype == torch.int32
    assert store.user_features["signup"].dtype == torch.int64
    assert store.item_features["price"].dtype == torch.float32
    assert store.labels["click"].dtype == torch.float32


def test_ids_by_entity_index(store):
    assert store.user_ids.to_list() == [None, "ann", "bob", "cid", "dora", "eve"]
    assert store.item_ids.to_list() == [None, "a", "b", "c", "d", "e"]
    assert (store.num_users, store.num_items) == (5, 5)


def test_vocabulary_holds_raw_values(store):
    assert store.vocabulary("device").to_list() == [None, None, "phone", "web", "tablet"]


def test_opening_gives_the_same_store(store):
    again = Store.open(store.path)
    assert again.schema == store.schema
    assert torch.equal(again.history_stop, store.history_stop)
    assert again.notes == store.notes


def test_a_worker_process_opens_the_files_itself(store):
    message = pickle.dumps(store)
    assert len(message) < 1_000
    assert torch.equal(pickle.loads(message).event_item, store.event_item)


def test_writing_into_a_tensor_never_reaches_the_file(store):
    store.user[0] = 99
    assert Store.open(store.path).user[0] == 1


def test_moving_takes_every_tensor_along(store):
    moved = store.to(torch.device("meta"))
    tensors = [moved.user, moved.event_start, moved.item_count, *moved.user_features.values(), *moved.item_features.values()]
    assert {tensor.device.type for tensor in [*tensors, *moved.context_features.values(), *moved.labels.values()]} == {"meta"}
    assert moved.path == store.path


def test_unchanged_sources_pass(store):
    check_sources(store)


def test_changed_sources_are_named(store, source):
    users = source.root / "users.parquet"
    users.write_bytes(users.read_bytes()[:-1] + b"?")
    (source.root / "items.parquet").unlink()
    with pytest.raises(IntegrityError, match=r"2 problems[\s\S]*items.parquet[\s\S]*users.parquet") as caught:
        check_sources(store)
    assert caught.value.exit_code == 4


def test_a_damaged_store_is_refused_with_the_file_named(store):
    path = store.path / "item_features" / "price.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=rf"1 file .*item_features/price\.npy(.|\n)*rm -r {store.path}.* resume="):
        Store.open(store.path)


@pytest.mark.parametrize("flips", [30, pytest.param(1_000, marks=pytest.mark.slow)])
def test_every_flipped_bit_of_a_store_is_refused_with_the_file_named(store, flips):
    files = sorted(path for path in store.path.rglob("*") if path.is_file() and not path.name.startswith("."))
    bits = random.Random(0)
    refused = 0
    for number in range(flips):
        path = files[number % len(files)]
        content = path.read_bytes()
        place, bit = bits.randrange(len(content)), bits.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        with pytest.raises(IntegrityError) as caught:
            Store.open(store.path)
        refused += caught.value.exit_code == 4 and (path.name == SUMS or path.name in str(caught.value))
        path.write_bytes(content)
    assert refused == flips
    assert torch.equal(Store.open(store.path).item, store.item)


def older(store):
    """Make a store what it was before its files had hashes."""
    (store.path / SUMS).unlink()
    manifest = json.loads((store.path / MANIFEST).read_text())
    sizes = {path.relative_to(store.path).as_posix(): path.stat().st_size for path in store.path.rglob("*.npy")}
    (store.path / MANIFEST).write_text(json.dumps(manifest | {"format": 4, "files": sizes}))


def test_a_store_of_before_is_held_against_sizes_and_says_so(store, caplog):
    older(store)
    assert torch.equal(Store.open(store.path).item, store.item)
    assert "only the sizes" in caplog.text
    path = store.path / "item_features" / "price.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=r"item_features/price\.npy"):
        Store.open(store.path)


def test_a_store_without_its_hashes_is_not_taken_for_one_of_before(store):
    (store.path / SUMS).unlink()
    with pytest.raises(IntegrityError, match=SUMS):
        Store.open(store.path)


@pytest.mark.parametrize("content", ["[1", "[]", "{}", '{"format": 4}', '{"format": 4, "files": []}', '{"format": 9}'])
def test_a_damaged_manifest_of_a_store_of_before_is_refused(store, content):
    (store.path / SUMS).unlink()
    (store.path / MANIFEST).write_text(content)
    with pytest.raises(IntegrityError, match=str(store.path)):
        Store.open(store.path)


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.user_ids,
        lambda store: store.item_ids,
        lambda store: store.vocabulary("device"),
        lambda store: copy_raw_categories(store, store.path.parent),
        lambda store: read_manifest(store.path),
        lambda store: pickle.loads(pickle.dumps(store)),
        lambda store: Store.open(store.path),
    ],
)
def test_a_store_that_was_removed_meanwhile_says_how_to_go_on(store, read):
    shutil.rmtree(store.path)
    with pytest.raises(IntegrityError, match="resume="):
        read(store)


def test_a_folder_without_manifest_is_no_store(tmp_path):
    with pytest.raises(IntegrityError, match=r"manifest\.json is missing"):
        Store.open(tmp_path)
    with pytest.raises(IntegrityError, match="no prepared store here"):
        Store.open(tmp_path / "none")


def test_manifest_counts_and_times(store):
    manifest = read_manifest(store.path)
    assert manifest["counts"] == {
        **{"rows": 13, "users": 5, "items": 5, "training rows": 8, "training positives": 6},
        **{"validation rows": 2, "validation positives": 2, "test rows": 3, "test positives": 2},
    }
    assert set(manifest["seconds"]) == {"validate", "read", "split", "sort", "columns", "raw categories", "feature_auc"}
    assert [entry["table"] for entry in manifest["inputs"]] == ["interactions", "items", "users"]


def test_file_names_hold_what_paths_cannot():
    assert file_name("a/b c", ".parquet") == "a%2Fb c.parquet"


def test_values_are_those_of_the_tables(store):
    users = EvaluationUsers(store, "test")
    told = store.raw_values(users.batch(torch.arange(len(users))).features)
    assert told[0]["user"] == "ann"
    assert told[0]["age"] == 20.0
    assert told[0]["signup"] == "2024-01-01 00:00"


def test_what_training_never_saw_is_none(store):
    column = next(feature.column for feature in store.schema.of("user"))
    assert store.raw_values({column: torch.tensor([1])}) == [{column: None}]
