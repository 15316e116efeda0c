"""MovieLens from .dat and from parquet."""

import polars as pl
import pytest

from recsys.errors import ConfigError, DataError
from recsys.source.base import FILE, ROW
from recsys.source.movielens import MovieLens

RATINGS = "1::10::5::300\n2::20::3::100\n1::20::4::100\n1::30::1::300\n"
USERS = "1::F::1::10::02460\n2::M::56::16::70072-1234\n"
MOVIES = "10::Toy Story: The Start (1995)::Animation|Children's\n20::Misérables, Les (1998)::Drama\n30::1941 (1979)::War\n"


@pytest.fixture
def published(tmp_path):
    (tmp_path / "ratings.dat").write_text(RATINGS)
    (tmp_path / "users.dat").write_text(USERS)
    (tmp_path / "movies.dat").write_text(MOVIES, encoding="latin-1")
    return tmp_path


@pytest.fixture
def as_parquet(tmp_path):
    ratings = {"user_id": [1, 1, 1], "movie_id": [10, 20, 30], "rating": [5, 4, 1], "seq_pos": [1, None, 0], "timestamp": [9, None, 8]}
    pl.DataFrame(ratings).write_parquet(tmp_path / "ratings.parquet")
    users = {"user_id": [1], "gender": ["F"], "age": [1], "occupation": [10], "zip": ["02460"]}
    pl.DataFrame(users).write_parquet(tmp_path / "users.parquet")
    movies = {"movie_id": [10], "title": ["Toy Story (1995)"], "genres": [["Animation", "Comedy"]], "year": [1995]}
    pl.DataFrame(movies).write_parquet(tmp_path / "movies.parquet")
    return tmp_path


def test_published_ratings_get_their_rank_within_the_user(published):
    ratings = MovieLens(published).tables().interactions.select("user_id", "movie_id", "rating", "seq_pos").collect()
    # User 1 by time: movie 20 (100 s), then 10 and 30 of one second in file order.
    assert ratings.rows() == [(1, 10, 5, 1), (2, 20, 3, 0), (1, 20, 4, 0), (1, 30, 1, 2)]


def test_published_users_keep_zip_as_text(published):
    users = MovieLens(published).tables().users.drop(FILE, ROW).collect()
    assert users.rows() == [(1, "F", 1, 10, "02460"), (2, "M", 56, 16, "70072-1234")]


def test_published_movies_are_latin_1_with_colons_genres_and_year(published):
    movies = MovieLens(published).tables().items.select("movie_id", "title", "genres", "year").collect()
    assert movies.rows() == [
        (10, "Toy Story: The Start (1995)", ["Animation", "Children's"], 1995),
        (20, "Misérables, Les (1998)", ["Drama"], 1998),
        (30, "1941 (1979)", ["War"], 1979),
    ]


def test_field_that_is_no_number_becomes_null_with_its_place(published):
    (published / "ratings.dat").write_text("1::10::5::300\n1::x::5::301\n1::30::5\n")
    ratings = MovieLens(published).tables().interactions.filter(pl.col("movie_id").is_null() | pl.col("seq_pos").is_null())
    assert ratings.select("movie_id", "seq_pos", ROW).collect().rows() == [(None, 1, 1), (30, None, 2)]
    assert ratings.collect()[FILE][0] == str(published / "ratings.dat")


def test_unranked_parquet_ratings_come_first_and_are_counted(as_parquet):
    tables = MovieLens(as_parquet).tables()
    assert tables.interactions.select("movie_id", "seq_pos").collect().rows() == [(10, 1), (20, -1), (30, 0)]
    assert tables.notes == ("1 of 3 ratings have no seq_pos and stand before all others of their user",)


def test_both_formats_have_the_same_columns_and_types(published, as_parquet):
    from_parquet = MovieLens(as_parquet).tables()
    types = [dict(table.collect_schema()) for table in (from_parquet.interactions, from_parquet.users, from_parquet.items)]
    (as_parquet / "ratings.parquet").unlink()
    from_dat = MovieLens(published).tables()
    assert [dict(table.collect_schema()) for table in (from_dat.interactions, from_dat.users, from_dat.items)] == types
    assert from_dat.files["items"] == (published / "movies.dat",)


def test_missing_files_are_all_named(published):
    (published / "users.dat").unlink()
    (published / "movies.dat").unlink()
    with pytest.raises(DataError) as caught:
        MovieLens(published).tables()
    assert [fault.where for fault in caught.value.faults] == [str(published / "users.dat"), str(published / "movies.dat")]


def test_root_that_is_not_set_says_what_to_type():
    with pytest.raises(ConfigError, match=r"type data.root=<folder that holds ratings.dat"):
        MovieLens(None).tables()
