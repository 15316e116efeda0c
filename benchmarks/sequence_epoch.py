"""One epoch of the causal transformer over MovieLens-1M: every position, every item, beside a plain loop and the machine's limit."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.base import composed, options, show
from benchmarks.fit import fit
from benchmarks.machine import product_rate, softmax_rate
from benchmarks.movielens_shaped import NUM_RATINGS, NUM_USERS, history_lengths, write_tables
from benchmarks.plain_transformer import plain_rate
from recsys.data.read.rows import Sequences
from recsys.run.hardware import precision_facts


def main(arguments: list[str]) -> None:
    """Train some epochs and look at the last; the table."""
    parser = options("sequence_epoch", __doc__)
    parser.add_argument("--root", type=Path, help="folder of MovieLens-1M (default: random histories of the same lengths)")
    parser.add_argument("--rows", type=int, default=NUM_RATINGS, help="random ratings (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=2, help="the last one counts (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=64, help="windows of a step (default: %(default)s)")
    parser.add_argument("--plain-steps", type=int, default=20, help="steps of the plain loop, on the CPU (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="of train.py, such as trainer=gpu loader.device_resident=true")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        if chosen.root is None:
            generator = np.random.default_rng(0)
            num_users = max(2, round(NUM_USERS * chosen.rows / NUM_RATINGS))
            write_tables(Path(scratch), history_lengths(num_users, chosen.rows, generator), generator)
        places = (f"data.root={chosen.root or scratch}", f"data.store={scratch}")
        sizes = (f"trainer.max_epochs={chosen.epochs}", f"loader.batch_size={chosen.batch_size}")
        config = composed("experiment=movielens", *places, *sizes, *chosen.overrides)
        done = fit(config, Path(scratch))
        window = done.model.user_tower.window
        windows = Sequences(done.store, window)
        num_items = int((done.store.item_count > 0).sum())
        on_plain = {"dim": config.model["dim"], "batch_size": chosen.batch_size, "steps": chosen.plain_steps}
        plain_s = done.rows / plain_rate(windows, len(done.store.item_count), window, **on_plain)
    device = torch.device("cuda" if config.trainer["accelerator"] == "gpu" else "cpu")
    scores = done.rows * num_items  # of every position with every item
    # the loss needs three products of [targets, items, dim] and one softmax; the towers come on top
    precision = precision_facts(config.trainer)["precision"]
    dtype = torch.bfloat16 if precision.startswith("bf16") else torch.float32
    limit_s = 3 * 2 * scores * config.model["dim"] / product_rate(dtype, device) + scores / softmax_rate(device)
    seconds = sum(done.epoch.values())
    rows = [
        ("epoch", f"{seconds:.2f} s", "", f"{done.rows / seconds:,.0f}"),
        *((f"  {phase}", f"{spent:.2f} s", f"{spent / seconds:.0%}", "") for phase, spent in done.epoch.items()),
        ("plain loop", f"{plain_s:.2f} s", "", f"{done.rows / plain_s:,.0f}"),
        ("plain loop / epoch", f"{plain_s / seconds:.1f}", "", ""),
        ("limit of the loss", f"{limit_s:.3g} s", f"{limit_s / seconds:.0%}", f"{done.rows / limit_s:,.0f}"),
        ("epoch / limit", f"{seconds / limit_s:.1f}", "", ""),
        ("loss / limit", f"{done.epoch['loss'] / limit_s:.1f}", "", ""),
    ]
    sizes = f"{len(windows):,} windows of {window - 1}, {done.rows:,} targets, {num_items:,} items"
    title = f"One epoch of {sizes}, {precision}"
    notes = (
        f"Plain loop: torch's layers on padded windows, all logits at once, float32; {chosen.plain_steps} steps, scaled to an epoch.",
        "The loss holds its own gradients. Its limit: three products in the run's precision and one softmax over all scores.",
        "Goal: an epoch of MovieLens-1M in at most 20 s on 2 cores.",
    )
    show(title, ("", "time", "share", "targets/s"), rows, notes)
