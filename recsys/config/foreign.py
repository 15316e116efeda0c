"""Ranges of arguments of other packages, whose own annotations say the type alone, or less."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval, Len

from recsys.ranges import AnyNumber, Column, Count, DropRate, Natural, NonNegative, Share

ENDLESS = Annotated[int, Ge(-1)]
"""A count; -1 = without end."""
BATCHES = Natural | Share
"""A number of batches, or a share of them."""
BETAS = Annotated[tuple[DropRate, DropRate], Len(2, 2)]
LONG = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true"]
SHORT = Literal["32", "bf16", "16", "64", 32, 16, 64, "transformer-engine", "transformer-engine-float16"]
PRECISION = LONG | SHORT
"""What Lightning takes, and "auto", which `recsys.run.hardware` resolves."""
OPTIMIZER = {"lr": NonNegative, "weight_decay": NonNegative, "eps": NonNegative, "betas": BETAS, "momentum": NonNegative}
OPTIMIZER |= {"alpha": Share, "lr_decay": NonNegative, "initial_accumulator_value": NonNegative, "dampening": AnyNumber}
"""Arguments that optimizers of torch share."""
RANGES: dict[str, dict[str, Any]] = {
    "pytorch_lightning.trainer.trainer.Trainer": {
        "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"],
        "devices": ENDLESS | Annotated[list[Natural], Len(1)] | Literal["auto"],
        "num_nodes": Count,
        "precision": PRECISION,
        "fast_dev_run": bool | Natural,
        "max_epochs": ENDLESS | None,
        "min_epochs": Natural | None,
        "max_steps": ENDLESS,
        "min_steps": Natural | None,
        "limit_train_batches": BATCHES | None,
        "limit_val_batches": BATCHES | None,
        "limit_test_batches": BATCHES | None,
        "overfit_batches": BATCHES,
        "val_check_interval": Annotated[float, Interval(gt=0, le=1)] | Count | None,
        "check_val_every_n_epoch": Count | None,
        "num_sanity_val_steps": ENDLESS | None,
        "log_every_n_steps": Natural | None,
        "accumulate_grad_batches": Count,
        "gradient_clip_val": NonNegative | None,
        "gradient_clip_algorithm": Literal["norm", "value"] | None,
        "reload_dataloaders_every_n_epochs": Natural,
    },
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping": {
        "monitor": Column,
        "min_delta": NonNegative,
        "patience": Natural,
        "mode": Literal["min", "max"],
        "stopping_threshold": AnyNumber | None,
        "divergence_threshold": AnyNumber | None,
    },
}
"""{module and name of a class: {argument: its annotation}}."""


def annotations(target: Any) -> dict[str, Any]:
    """{argument: annotation} that stand for those of a class of another package; empty for ours."""
    if target.__module__.startswith("torch.optim."):
        return OPTIMIZER
    return RANGES.get(f"{target.__module__}.{target.__qualname__}", {})
