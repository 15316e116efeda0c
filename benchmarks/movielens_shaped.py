"""Random tables in the format of MovieLens-1M, for targets that measure speed and need no real ratings."""

from pathlib import Path

import numpy as np
import polars as pl

NUM_USERS, NUM_MOVIES, NUM_RATINGS = 6_040, 3_706, 1_000_209
FEWEST, SPREAD = 20, 1.13
"""Ratings of a user are FEWEST and a log-normal number; this spread gives the published mean of 165.6 and median of 96."""
GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance")


def history_lengths(num_users: int, num_ratings: int, generator: np.random.Generator) -> np.ndarray:
    """[num_users] ratings of each user, about num_ratings in all."""
    more = generator.lognormal(sigma=SPREAD, size=num_users)
    return FEWEST + np.round(more * (num_ratings - FEWEST * num_users) / more.sum()).astype(np.int64).clip(0)


def write_tables(folder: Path, lengths: np.ndarray, generator: np.random.Generator) -> None:
    """Write ratings, users and movies as parquet.

    Args:
        lengths: [users] ratings of each user. Movies are drawn by Zipf's law, and every movie occurs; there are fewer where they
            would not be rated 10 times on average.
    """
    users = np.arange(1, len(lengths) + 1, dtype=np.int32)
    num_movies = min(NUM_MOVIES, int(lengths.sum()) // 10)
    share = 1 / np.arange(10, num_movies + 10)
    movies = generator.choice(num_movies, size=lengths.sum(), p=share / share.sum()).astype(np.int32)
    movies[generator.permutation(len(movies))[:num_movies]] = np.arange(num_movies)
    position = np.arange(len(movies)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    ratings = {
        "user_id": np.repeat(users, lengths),
        "movie_id": movies + 1,
        "rating": np.full(len(movies), 5, np.int8),
        "seq_pos": position.astype(np.int32),
    }
    pl.DataFrame(ratings).write_parquet(folder / "ratings.parquet")
    people = {
        "user_id": users,
        "gender": generator.choice(["F", "M"], len(users)),
        "age": generator.integers(0, 7, len(users), dtype=np.int8),
        "occupation": generator.integers(0, 21, len(users), dtype=np.int8),
        "zip": np.full(len(users), "00000"),
    }
    pl.DataFrame(people).write_parquet(folder / "users.parquet")
    films = {
        "movie_id": np.arange(1, num_movies + 1, dtype=np.int32),
        "title": [f"Movie {number}" for number in range(1, num_movies + 1)],
        "genres": [[genre] for genre in generator.choice(GENRES, num_movies)],
        "year": generator.integers(1980, 1998, num_movies, dtype=np.int16, endpoint=True),
    }
    pl.DataFrame(films).write_parquet(folder / "movies.parquet")
