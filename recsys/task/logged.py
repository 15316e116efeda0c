"""How values of an evaluation reach the loggers."""

from collections.abc import Mapping

from pytorch_lightning import LightningModule


def log_values(pl_module: LightningModule, values: Mapping[str, float], *, stage: str) -> None:
    """Hand values, which are equal on all processes, to the loggers; those of validation also to callbacks, which may monitor them.

    A test has hundreds of keys, and Lightning makes a metric of each that a module logs: that would take longer than measuring them.
    """
    if stage == "test":
        for logger in pl_module.trainer.loggers:
            logger.log_metrics({"epoch": float(pl_module.trainer.current_epoch), **values}, step=pl_module.trainer.global_step)
        return
    for key, value in values.items():
        pl_module.log(key, value, reduce_fx="max", sync_dist=True)  # a mean could round, a maximum cannot
