import shutil
from dataclasses import astuple
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from recsys.errors import ConfigError, IntegrityError
from recsys.source import shop_tables
from recsys.source.base import Tables
from recsys.source.shop import Shop
from recsys.source.shop_policy import draw_pages
from recsys.source.shop_visits import World

DAY = 86_400_000_000  # microseconds
WEEK_START, WEEK_STOP = 1_737_936_000_000_000, 1_738_540_800_000_000  # 2025-01-27 and 2025-02-03, microseconds since 1970
SIZES = {"num_users": 400, "num_items": 300, "num_impressions": 130_005, "days": 28, "seed": 3}


def rows(tables: Tables) -> list[pl.DataFrame]:
    """Interactions, users and items, without where they come from."""
    return [frame.drop("__file", "__row").collect() for frame in (tables.interactions, tables.users, tables.items)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    return Shop(**SIZES, folder=tmp_path_factory.mktemp("shops"))


@pytest.fixture(scope="module")
def impressions(shop) -> pl.DataFrame:
    """Every impression with its truth, item and user."""
    shown, users, items = rows(shop.tables())
    truth = shop.oracle().probabilities(["position"]).drop("user_id", "item_id", "timestamp").collect()
    return pl.concat([shown, truth], how="horizontal").join(items, on="item_id").join(users, on="user_id", maintain_order="left")


@pytest.fixture(scope="module")
def world() -> World:
    return World.create(num_users=50, num_items=300, num_visits=14_000, days=14, seed=0)


def assert_calibrated(said: np.ndarray, happened: np.ndarray, tenths: int = 10) -> None:
    """In each tenth of the probabilities `said`, sums of what `happened` are within 4.5 standard deviations of what was said."""
    for part in np.array_split(np.argsort(said, kind="stable"), tenths):
        spread = np.sqrt((said[part] * (1 - said[part])).sum())
        assert abs(happened[part].sum() - said[part].sum()) < 4.5 * spread


def test_truth_without_the_position_is_the_mean_over_the_slots_of_a_page(shop, impressions):
    served = shop.oracle().probabilities([]).collect()
    assert_calibrated(served["click_probability"].to_numpy(), impressions["click"].to_numpy())
    # slot k is looked at k ** -.55 as often as the first one
    of_slots = np.arange(1, 11) ** -0.55
    ratio = (served["click_probability"] / impressions["click_probability"]).to_numpy()
    assert ratio == pytest.approx(of_slots.mean() / of_slots[impressions["position"].to_numpy() - 1], rel=1e-5)
    assert served["conversion_probability"].equals(impressions["conversion_probability"])


def test_same_arguments_give_the_same_shop(shop, tmp_path):
    for first, again in zip(rows(shop.tables()), rows(Shop(**SIZES, folder=tmp_path).tables())):
        assert first.equals(again)


@pytest.mark.parametrize("change", [{"seed": 4}, {"num_items": 301}, {"days": 27}, {"num_users": 401}, {"num_impressions": 130_006}])
def test_other_arguments_give_another_shop(shop, tmp_path, change):
    small = {**SIZES, "num_impressions": 20} | change
    base = {**SIZES, "num_impressions": 20}
    folders = {Shop(**sizes, folder=tmp_path).tables().files["users"][0].parent for sizes in (base, small)}
    assert len(folders) == 2


def test_a_made_shop_is_not_made_again(shop):
    file = shop.tables().files["interactions"][0]
    before = file.stat().st_mtime_ns
    shop.tables()
    assert file.stat().st_mtime_ns == before
    assert not [path for path in file.parent.parent.iterdir() if path.name.endswith(".partial")]


def test_a_damaged_shop_or_truth_is_refused_until_it_is_removed(tmp_path):
    shop = Shop(**SIZES, folder=tmp_path)
    shop.tables()
    (place,) = (path for path in tmp_path.iterdir() if path.is_dir())
    for path in (next(place.glob("oracle/*.parquet")), place / "items.parquet"):
        content = path.read_bytes()
        path.write_bytes(content[:100] + bytes([content[100] ^ 4]) + content[101:])
        with pytest.raises(IntegrityError, match=rf"{path.name}(.|\n)*rm -r {place}"):
            shop.oracle()
        path.write_bytes(content)
    shutil.rmtree(place)
    shop.oracle()


def test_too_small_sizes_are_refused_all_at_once(tmp_path):
    with pytest.raises(ConfigError, match="num_items is 20") as error:
        Shop(num_users=0, num_items=20, num_impressions=100, days=7, seed=0, folder=tmp_path)
    assert [fault.where for fault in error.value.faults] == ["num_users", "num_items"]
    assert not list(tmp_path.iterdir())


def test_columns_and_types(shop):
    tables = shop.tables()
    utc = pl.Datetime("us", "UTC")
    assert dict(tables.interactions.drop("__row", "__file").collect_schema()) == {
        "visit_id": pl.Int64, "user_id": pl.Int64, "item_id": pl.Int64, "timestamp": utc, "position": pl.Int64, "device": pl.String,
        "propensity": pl.Float32, "click": pl.Int8, "conversion": pl.Int8,
    }  # fmt: skip
    assert tables.interactions.collect().height == 130_005
    assert tables.users.collect_schema()["interests"] == pl.List(pl.String)
    assert tables.items.collect_schema()["arrival"] == utc


def test_default_config_names_columns_that_exist(shop):
    config = yaml.safe_load((Path(__file__).parents[2] / "conf/data/shop.yaml").read_text())
    tables = shop.tables()
    columns = {"user": tables.users, "item": tables.items, "context": tables.interactions, "bias": tables.interactions}
    for feature in config["features"]:
        if not feature["_target_"].endswith("History"):
            assert feature["column"] in columns[feature["entity"]].collect_schema()
    for label in config["labels"]:
        assert label["column"] in tables.interactions.collect_schema()
    assert config["session"] in tables.interactions.collect_schema()


def test_rows_do_not_depend_on_how_many_a_file_holds(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(shop_tables, "BLOCKS_PER_FILE", 1)
    tables = Shop(**SIZES, folder=tmp_path).tables()
    assert [pq.read_metadata(file).num_rows for file in tables.files["interactions"]] == [64_000, 64_000, 2_005]
    assert rows(tables)[0].equals(rows(shop.tables())[0])


def test_a_block_does_not_depend_on_those_before_it(world):
    first, again = world.impressions(1), world.impressions(1)
    world.impressions(0)
    assert all(np.array_equal(a, b) for a, b in zip(astuple(first), astuple(again)))
    assert np.corrcoef(first.user, world.impressions(0).user)[0, 1] < 0.1  # 6,400 visits of independent users
    assert len(first.item) == 64_000  # what is in memory at once, however long the simulation


def test_only_clicks_convert(impressions):
    assert impressions.filter(click=0)["conversion"].sum() == 0
    assert impressions.filter(click=1)["conversion"].sum() > 100


def test_rates_are_those_of_a_shop(impressions):
    assert 0.08 < impressions["click"].mean() < 0.16
    assert 0.04 < impressions.filter(click=1)["conversion"].mean() < 0.12


def test_clicks_fall_with_position(impressions):
    rate = impressions.group_by("position").agg(pl.col("click").mean()).sort("position")["click"].to_list()
    assert len(rate) == 10
    assert rate[0] > 1.2 * rate[1] > 1.2 * rate[3] > 1.2 * rate[9]


def test_position_says_nothing_about_the_item(impressions):
    # 13,000 rows per position: standard error of a mean log propensity of spread 1.5 is 0.013
    mean = impressions.group_by("position").agg(pl.col("propensity").log().mean())["propensity"]
    assert mean.max() - mean.min() < 0.08


def test_clicks_happen_as_often_as_the_oracle_says(impressions):
    assert_calibrated(impressions["click_probability"].to_numpy().astype(float), impressions["click"].to_numpy())


def test_conversions_happen_as_often_as_the_oracle_says(impressions):
    clicked = impressions.filter(click=1)
    assert_calibrated(clicked["conversion_probability"].to_numpy().astype(float), clicked["conversion"].to_numpy(), tenths=4)


def test_who_clicks_would_convert_more_than_others(impressions):
    """Observed selection: better matches are clicked. Unobserved: the same impression converts more if its click was free."""
    everyone = impressions["conversion_if_click"].mean()
    clicked = impressions.filter(click=1)
    assert clicked["conversion_if_click"].mean() > 1.1 * everyone
    assert clicked["conversion_probability"].mean() > 1.1 * clicked["conversion_if_click"].mean()


def test_nothing_is_shown_before_it_arrives_or_to_users_before_they_join(impressions):
    assert impressions.filter(pl.col("timestamp") < pl.col("arrival")).is_empty()
    assert impressions.filter(pl.col("timestamp") < pl.col("joined")).is_empty()
    assert impressions.filter(pl.col("arrival").dt.year() == 2025)["item_id"].n_unique() > 80  # 40 % of 300 arrive in these days


def test_no_item_twice_on_a_page(impressions):
    assert impressions.select(pl.struct("visit_id", "item_id").is_duplicated().any()).item() is False


def test_inverse_propensities_count_the_items_of_a_category(impressions, shop):
    """E[1{item in category} / propensity] over slots is the number of that category's items."""
    tables = shop.tables()
    existing = tables.items.filter(pl.col("arrival").dt.year() < 2025).collect()
    old = impressions.filter(pl.col("arrival").dt.year() < 2025)
    for category, items in existing.group_by("category"):
        weight = old.filter(pl.col("category") == category[0])["propensity"].cast(pl.Float64).pow(-1)
        estimate, error = weight.sum() / 130_005, np.sqrt((weight**2).sum()) / 130_005
        assert abs(estimate - items.height) < 4.5 * error


def test_pages_follow_the_policy(world):
    """One user, one day, 6,000 pages: each item's count is binomial with its propensity."""
    user = np.zeros(6_000, np.int64)
    taste = world.users.shared[user] + world.users.own_taste(user, user)
    item, propensity = draw_pages(np.random.default_rng(0), world.items, user + 3, taste)
    chance = dict(zip(item.ravel().tolist(), propensity.ravel().tolist()))
    assert sum(chance.values()) == pytest.approx(1, abs=1e-3)  # items too rare to be drawn once are missing
    assert max(chance.values()) <= 0.1
    count = np.bincount(item.ravel(), minlength=300)
    for index, share in chance.items():
        # systematic: at most one per page, so with probability 10 * share on each of 6,000 pages
        spread = np.sqrt(6_000 * 10 * share * (1 - 10 * share))
        assert abs(count[index] - 60_000 * share) < 5 * spread + 1


def test_visits_have_hours_and_weekdays(impressions):
    count = impressions.group_by(pl.col("timestamp").dt.hour()).len()
    by_hour = dict(count.iter_rows())
    assert by_hour[20] > 8 * by_hour[3]
    by_weekday = dict(impressions.group_by(pl.col("timestamp").dt.weekday()).len().iter_rows())
    assert by_weekday[7] > 1.2 * by_weekday[2]
    assert impressions["timestamp"].is_sorted()


def test_taste_drifts(world):
    user = np.arange(50)
    first, soon, later = (world.users.own_taste(np.full(50, week), user) for week in (0, 1, 10))
    assert np.square(first - soon).sum() < 0.2 * np.square(first - later).sum()
    assert np.square(later).sum() > 0.8 * np.square(first).sum()


@pytest.fixture(scope="module")
def week(shop, impressions) -> tuple[np.ndarray, np.ndarray]:
    """Last week's oracle scores and clicks, [400, 300] each, users and items in order of id."""
    tables = shop.tables()
    users, items = tables.users.collect()["user_id"].to_numpy(), tables.items.collect()["item_id"].to_numpy()
    scores = shop.oracle().scores(users, items, WEEK_START, WEEK_STOP)
    clicked = impressions.filter((pl.col("timestamp").dt.epoch("us") >= WEEK_START) & (pl.col("click") == 1))
    clicks = np.zeros((400, 300))
    np.add.at(clicks, (np.searchsorted(users, clicked["user_id"]), np.searchsorted(items, clicked["item_id"])), 1)
    return scores, clicks


def test_oracle_expects_the_clicks_that_come(week):
    scores, clicks = week
    assert scores.shape == (400, 300)
    assert scores.dtype == np.float32
    # Pairs in ten groups of equal expectation; visits add to the Poisson spread, 1.3 times at most.
    order = np.argsort(scores, axis=None)
    group = np.minimum(np.cumsum(scores.ravel()[order].astype(float)) / scores.sum() * 10, 9.999).astype(int)
    expected, happened = np.bincount(group, scores.ravel()[order]), np.bincount(group, clicks.ravel()[order])
    assert (np.abs(happened - expected) < 4.5 * 1.3 * np.sqrt(expected)).all()


def test_oracle_is_zero_for_items_that_have_not_arrived(shop, week):
    items = shop.tables().items.collect()
    first_half = shop.oracle().scores(
        np.array([100_001, 100_002]), items["item_id"].to_numpy(), WEEK_START - 21 * DAY, WEEK_START - 20 * DAY
    )
    late = (items["arrival"].dt.epoch("us") >= WEEK_START - 20 * DAY).to_numpy()
    assert late.sum() > 50
    assert (first_half[:, late] == 0).all()
    assert (first_half[:, ~late] > 0).all()


def test_oracle_is_zero_for_users_who_have_not_joined(shop):
    users = shop.tables().users.collect()
    scores = shop.oracle().scores(users["user_id"].to_numpy(), np.array([5_001]), WEEK_START - 21 * DAY, WEEK_START - 20 * DAY)[:, 0]
    late = (users["joined"].dt.epoch("us") >= WEEK_START - 20 * DAY).to_numpy()
    assert late.sum() > 50
    assert (scores[late] == 0).all()
    assert (scores[~late] > 0).all()


def test_oracle_adds_up_over_time_and_takes_ids_in_any_order(shop, week):
    users, items = np.array([100_300, 100_007]), np.array([5_200, 5_001, 5_200])
    middle = WEEK_START + 2 * DAY + 12_345
    parts = [shop.oracle().scores(users, items, start, stop) for start, stop in ((WEEK_START, middle), (middle, WEEK_STOP))]
    np.testing.assert_allclose(sum(parts), week[0][[[299], [6]], [199, 0, 199]], rtol=1e-5)


def test_oracle_ranks_better_than_popularity(week, impressions):
    scores, clicks = week
    before = impressions.filter((pl.col("timestamp").dt.epoch("us") < WEEK_START) & (pl.col("click") == 1))
    popularity = np.bincount(before["item_id"].to_numpy() - 5_001, minlength=300)
    found = [
        np.take_along_axis(clicks, np.argsort(-ranked, axis=1)[:, :20], axis=1).sum() for ranked in (scores, np.tile(popularity, (400, 1)))
    ]
    assert found[0] > 1.5 * found[1]


@pytest.fixture(scope="module")
def query(impressions) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
    """500 impressions of distinct moments, and the arguments that ask about their users and moments."""
    rows = impressions.filter(pl.col("visit_id") % 26 == 1, pl.col("position") == pl.col("visit_id") % 10 + 1)
    return rows, {"user_ids": rows["user_id"].to_numpy(), "moments": rows["timestamp"].dt.epoch("us").to_numpy()}


def test_what_is_shown_is_clicked_as_on_the_mean_slot_of_a_page(shop, query):
    rows, moment = query
    assert len(rows) == 500
    items = np.arange(5_001, 5_301)
    true = shop.oracle().if_shown("click", item_ids=items, context={"device": rows["device"]}, **moment)
    assert (true.shape, true.dtype) == ((500, 300), np.float32)
    mean_slot = np.mean([slot**-0.55 for slot in range(1, 11)])
    logged = rows["click_probability"].to_numpy() / rows["position"].to_numpy() ** -0.55 * mean_slot
    np.testing.assert_allclose(true[np.arange(500), rows["item_id"].to_numpy() - 5_001], logged, rtol=1e-4)


def test_what_is_clicked_is_bought_as_logged(shop, query):
    rows, moment = query
    true = shop.oracle().if_shown("conversion", item_ids=np.arange(5_001, 5_301), context={"device": rows["device"]}, **moment)
    logged = rows["conversion_probability"].to_numpy()
    np.testing.assert_allclose(true[np.arange(500), rows["item_id"].to_numpy() - 5_001], logged, rtol=1e-4)


def test_an_unknown_device_is_any_of_the_users_own(shop):
    """Visits come by each device as often as the user has it, and clicks as often as it holds attention."""
    oracle, users, moments = shop.oracle(), np.array([100_001, 100_400]), np.full(2, WEEK_START)
    share = shop.oracle().world.users.device[[0, 399]].T  # [devices, 2]
    query = {"user_ids": users, "item_ids": np.array([5_001, 5_002]), "moments": moments}
    click, conversion = (
        np.stack([oracle.if_shown(label, **query, context={"device": pl.Series([name] * 2)}) for name in ("desktop", "mobile", "tablet")])
        for label in ("click", "conversion")
    )  # [devices, 2, 2] each
    clicked = (share[:, :, None] * click).sum(0)
    bought = (share[:, :, None] * click * conversion).sum(0) / clicked
    for context in ({}, {"device": pl.Series([None, "fridge"])}, {"hour": pl.Series([1, 2])}):
        np.testing.assert_allclose(oracle.if_shown("click", **query, context=context), clicked, rtol=1e-5)
        np.testing.assert_allclose(oracle.if_shown("conversion", **query, context=context), bought, rtol=1e-5)


def test_truth_of_many_users_does_not_depend_on_the_chunk(shop, query, monkeypatch):
    rows, moment = query
    arguments = {**moment, "item_ids": np.array([5_100]), "context": {"device": rows["device"]}}
    whole = shop.oracle().if_shown("click", **arguments)
    monkeypatch.setattr("recsys.source.shop.USERS_PER_CHUNK", 7)
    np.testing.assert_allclose(shop.oracle().if_shown("click", **arguments), whole, rtol=1e-6)


def test_oracle_refuses_ids_of_another_shop(shop):
    with pytest.raises(ValueError, match="user ids are 100001 to 100400, got 7 to 100002"):
        shop.oracle().scores(np.array([7, 100_002]), np.array([5_001]), WEEK_START, WEEK_STOP)


def test_probabilities_are_keyed_like_the_interactions(shop):
    key = ["user_id", "item_id", "timestamp"]
    keys = shop.tables().interactions.select(key).collect()
    assert keys.equals(shop.oracle().probabilities([]).select(key).collect())
    assert not keys.is_duplicated().any()
