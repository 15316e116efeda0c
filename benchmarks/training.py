"""Training speed on the work of peers' scripts, and with --peers beside these, run before and after.

tfrs    run_tfrs.py: MovieLens-1M's ids, embeddings of 64, layers 128-64, in-batch softmax over 4,096 rows
rechub  run_rechub.py dssm: 4 ids and the mean of 50 ids for a user, 2 ids for an item, embeddings of 16, layers 256-128-64,
        4,096 rows; the peer scores each user with one item, here with every item of the batch
mmoe    run_rechub.py mmoe: 6 ids, embeddings of 16, 8 experts of layers 256-128, 2 labels, 4,096 rows
"""

import math
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.base import composed, options, show
from benchmarks.fit import fit
from benchmarks.impressions import impression_overrides, write_impressions
from benchmarks.movielens_shaped import NUM_RATINGS, NUM_USERS, history_lengths, write_tables
from recsys.errors import ConfigError, Fault

HELD_OUT = 2
"""Last ratings of each user, which are not trained on."""
RECHUB_ROWS, RECHUB_USERS = 400_000, 1_000
"""So few users that nearly every history has all its 50 items."""
TFRS = (
    "data.features=["
    "{_target_:recsys.schema.Categorical,column:user_id,entity:user},"
    "{_target_:recsys.schema.Categorical,column:movie_id,entity:item}]",
    "model.user.hidden=[128]",
    "model.item.hidden=[128]",
    "model.embedding_dim=64",
    "model.normalize=false",
    "loss.temperature=1.0",
)
RECHUB = (
    "data.features=["
    "{_target_:recsys.schema.Categorical,column:user_id,entity:user},"
    "{_target_:recsys.schema.Categorical,column:gender,entity:user},"
    "{_target_:recsys.schema.Categorical,column:age,entity:user},"
    "{_target_:recsys.schema.Categorical,column:occupation,entity:user},"
    "{_target_:recsys.schema.History,column:history,entity:user,of:movie_id,max_len:50},"
    "{_target_:recsys.schema.Categorical,column:movie_id,entity:item},"
    "{_target_:recsys.schema.Categorical,column:year,entity:item}]",
    "model.user.hidden=[256,128]",
    "model.item.hidden=[256,128]",
    "model.embedding_dim=16",
    "loss.temperature=0.02",
)
MMOE_SIZES = {"user_id": 6041, "gender": 3, "age": 8, "occupation": 22, "movie_id": 3707, "cate_id": 19}
MMOE = (
    "trainer.precision=auto",
    "loader.batch_size=4096",
    "loss=clicked",
    "model.num_experts=8",
    "model.expert_hidden=[256,128]",
    "model.tower_hidden=[64]",
    "model.input.embedding_dim=16",
    "model.input.cross=null",
    "model.input.id_dropout=0.0",
)
RETRIEVAL = (
    "trainer.precision=auto",
    "data=movielens",
    "candidates=in_batch",
    "model.dim=64",
    "model.id_dropout=0.0",
    "loader.batch_size=4096",
)


@dataclass(frozen=True)
class Peer:
    """A script that prints "<number> rows/s", once or once per epoch.

    Attributes:
        python: interpreter that has what the script imports; None = the peer is not run.
        command: the script, in the folder it is run from, and its arguments.
        epochs: told to it as EPOCHS.
    """

    python: Path | None
    folder: Path | None
    command: tuple[str, ...]
    epochs: int

    def speed(self) -> float:
        """Rows/s of its fastest epoch; NaN if it is not run.

        Raises:
            ConfigError: it failed, or printed no speed.
        """
        if self.python is None or self.folder is None:
            return math.nan
        environment = os.environ | {"EPOCHS": str(self.epochs)}
        command = [str(self.python.absolute()), *self.command]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        speeds = [float(number) for number in re.findall(r"([\d.]+) rows/s", done.stdout)]
        if done.returncode or not speeds:
            last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
            raise ConfigError(Fault(f"the peer gave no speed: {last}", f"{self.folder}: {' '.join(command)}", "run it by hand to see why"))
        return max(speeds)


def main(arguments: list[str]) -> None:
    """Train both, and the peers around each; the table."""
    parser = options("training", __doc__)
    parser.add_argument("--root", type=Path, help="folder of MovieLens-1M (default: random ratings of the same shape)")
    parser.add_argument("--rows", type=int, default=NUM_RATINGS, help="random ratings; rechub has 400,000 of them (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=3, help="of tfrs and mmoe, and tfrs's peer; rechub has 1 (default: %(default)s)")
    parser.add_argument("--peers", type=Path, help="folder of run_tfrs.py and run_rechub.py")
    parser.add_argument("--tfrs-python", type=Path, help="interpreter that has tensorflow_recommenders")
    parser.add_argument("--rechub-python", type=Path, help="interpreter that has torch_rechub")
    parser.add_argument("overrides", nargs="*", help="of train.py, such as trainer=gpu loader.device_resident=true")
    chosen = parser.parse_args(arguments)
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        tfrs, rechub, mmoe = (Path(scratch) / name for name in ("tfrs", "rechub", "mmoe"))
        for folder in (tfrs, rechub, mmoe):
            folder.mkdir()
        if chosen.root is None:
            num_users = max(2, round(NUM_USERS * chosen.rows / NUM_RATINGS))
            write_tables(tfrs, history_lengths(num_users, chosen.rows, generator), generator)
        per_user = min(RECHUB_ROWS, chosen.rows) // RECHUB_USERS + HELD_OUT
        write_tables(rechub, np.full(RECHUB_USERS, per_user), generator)
        write_impressions(mmoe, rows=round(min(RECHUB_ROWS, chosen.rows) / 0.8), sizes=MMOE_SIZES)  # the split holds out a fifth

        peer = Peer(chosen.tfrs_python, chosen.peers, ("run_tfrs.py",), chosen.epochs)
        rows = [compared("tfrs", tfrs, [*RETRIEVAL, *TFRS, f"data.root={chosen.root or tfrs}", *chosen.overrides], peer)]
        peer = Peer(chosen.rechub_python, chosen.peers, ("run_rechub.py", "dssm", str(rechub)), 1)
        rows.append(compared("rechub", rechub, [*RETRIEVAL, *RECHUB, f"data.root={rechub}", *chosen.overrides], peer))
        peer = Peer(chosen.rechub_python, chosen.peers, ("run_rechub.py", "mmoe", str(mmoe)), chosen.epochs)
        rows.append(compared("mmoe", mmoe, [*impression_overrides(mmoe, sizes=MMOE_SIZES), *MMOE, *chosen.overrides], peer))
    columns = ("", "rows/s", "from files", "peer before", "peer after", "rows/s / peer", "from files / peer")
    notes = (
        "From files: with preparing, from the raw files to the last step. The peers' figures are of training alone.",
        "Here products are in bfloat16 where that is fast on this machine, with the peers in float32.",
        "Goal: at least 3 times the peer, from files; of mmoe, 4 times its rows/s.",
    )
    show("Training, batches of 4,096", columns, rows, notes)


def compared(name: str, folder: Path, overrides: list[str], peer: Peer) -> tuple[str, ...]:
    """A row of the table, by the fastest epoch of each; the peer runs before and after."""
    before = peer.speed()
    config = composed(*overrides, f"data.store={folder}", f"trainer.max_epochs={peer.epochs}")
    done = fit(config, folder)
    after = peer.speed()
    speeds = (done.speed, done.rows * peer.epochs / done.seconds)
    shown = ("" if math.isnan(speed) else f"{speed:,.0f}" for speed in (*speeds, before, after))
    ratios = ("not run" if math.isnan(before) else f"{speed / max(before, after):.2f}" for speed in speeds)
    return (name, *shown, *ratios)
