"""Where training stands, as tensors and JSON: everything that the next step depends on beside the data, the config and the weights.

No random generator is among it: order, candidates and dropout are functions of (seed, step, rank).
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor, distributed
from torch.optim import Optimizer

from recsys.disk.records import require_type
from recsys.errors import ConfigError, Fault, IntegrityError, RecsysError
from recsys.run.lightning_internals import Place, callbacks_of
from recsys.run.metrics_log import MetricsLog

VALIDATED, MODEL = "val/", "model."
"""Starts of the names of a validation's metrics, and of the weights, which a checkpoint holds apart from the state."""
PLAIN = (bool, int, float, str, type(None))


def captured(trainer: Trainer, module: LightningModule, place: Place) -> tuple[dict[str, Tensor], dict] | None:
    """Tensors, copied to the CPU, and a JSON document, in the first process; None in others. Call it in all: it gathers what differs."""
    tensors: dict[str, Tensor] = {}
    own = {name: value for name, value in module.state_dict().items() if not name.startswith(MODEL)}
    of_all = _of_all(own, trainer.world_size)
    if not trainer.is_global_zero:
        return None
    states = {each.state_key: state for each in callbacks_of(trainer) if (state := each.state_dict())}
    metrics = {key: value for key, value in trainer.callback_metrics.items() if key.startswith(VALIDATED)}
    document = {
        "place": asdict(place),
        "processes": trainer.world_size,
        "task": [_packed(state, tensors, "task") for state in of_all],
        "optimizers": _packed([optimizer.state_dict() for optimizer in trainer.optimizers], tensors, "optimizers"),
        "schedulers": _packed([each.scheduler.state_dict() for each in trainer.lr_scheduler_configs], tensors, "schedulers"),
        "precision": _packed(trainer.precision_plugin.state_dict(), tensors, "precision"),
        "callbacks": _packed(states, tensors, "callbacks"),
        "metrics": _packed(metrics, tensors, "metrics"),
        "logged": [logger.position() for logger in _logs(trainer)],
    }
    return tensors, document


def restore(trainer: Trainer, module: LightningModule, tensors: Mapping[str, Tensor], document: Mapping) -> dict[str, Tensor]:
    """Give a trainer whose optimizers stand the state that `captured` took. Rates, decays and patience are those of its own config.

    Returns:
        Metrics of the last validation, for `recsys.run.lightning_internals.remember_metrics`.
    Raises:
        IntegrityError: it belongs to another model or optimizer.
        ConfigError: another number of processes left it.
    """
    try:
        if document["processes"] != trainer.world_size:
            what = f"the run had {document['processes']} processes, now there are {trainer.world_size}"
            raise ConfigError(Fault(what, "trainer.devices, trainer.num_nodes", "start as many as before: each has a state of its own"))
        own = _unpacked(document["task"][trainer.global_rank], tensors)
        weights = {name: value for name, value in module.state_dict().items() if name.startswith(MODEL)}
        module.load_state_dict(weights | own)
        for optimizer, state in zip(trainer.optimizers, _unpacked(document["optimizers"], tensors), strict=True):
            _load_moments(optimizer, state)
        for each, state in zip(trainer.lr_scheduler_configs, _unpacked(document["schedulers"], tensors), strict=True):
            rates = each.scheduler.base_lrs
            each.scheduler.load_state_dict(state)
            each.scheduler.base_lrs = rates
        trainer.precision_plugin.load_state_dict(_unpacked(document["precision"], tensors))
        states = _unpacked(document["callbacks"], tensors)
        metrics = dict(_unpacked(document["metrics"], tensors))
        positions = [max(int(position), 0) for position in document["logged"]]
        for callback in callbacks_of(trainer):
            if callback.state_key in states:
                state = states[callback.state_key]
                callback.load_state_dict(state | {"patience": callback.patience} if "patience" in state else state)
    except RecsysError:
        raise
    except (KeyError, ValueError, RuntimeError, IndexError, TypeError, AttributeError) as error:
        what = f"the state of training belongs to another model or optimizer: {' '.join(str(error).split()):.300}"
        raise IntegrityError(Fault(what, "checkpoints/last", "go on with the run's own config, or train again")) from error
    for logger, position in zip(_logs(trainer), positions):
        logger.rewind(position)
    return metrics


def forget_logged(trainer: Trainer) -> None:
    """A run that begins anew in its place logs every step again."""
    for logger in _logs(trainer):
        logger.rewind(0)


def _logs(trainer: Trainer) -> list[MetricsLog]:
    return [logger for logger in trainer.loggers if isinstance(logger, MetricsLog)]


def _load_moments(optimizer: Optimizer, state: dict) -> None:
    """Load what an optimizer has gathered; of its settings only how far a schedule has moved the rate."""
    chosen = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, own in zip(optimizer.param_groups, chosen, strict=True):
        moved = group["lr"] / group["initial_lr"] if group.get("initial_lr") else None
        same = group.get("initial_lr") == own.get("initial_lr")
        lr = group["lr"] if same or moved is None else own["initial_lr"] * moved
        group.update({**own, "lr": lr})


def _of_all(state: dict[str, Any], world_size: int) -> list[dict[str, Any]]:
    """The state of each process, which has queues and mined items of its own."""
    if world_size == 1:
        return [state]
    states: list[Any] = [None] * world_size
    distributed.all_gather_object(states, {name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()})
    return states


def _packed(value: Any, tensors: dict[str, Tensor], owner: str) -> Any:
    """The value as JSON; its tensors are copied to `tensors` and stand there under the name that the JSON says."""
    if isinstance(value, Tensor):
        name = f"{owner}/{len(tensors)}"
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"map": [[_packed(key, tensors, owner), _packed(entry, tensors, owner)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__ if type(value) is list else "tuple": [_packed(entry, tensors, owner) for entry in value]}
    if type(value) not in PLAIN:
        what = f"its state holds a {type(value).__name__}, which no checkpoint can keep"
        raise ConfigError(Fault(what, owner, "let state_dict() hold tensors, numbers, text, lists and dicts"))
    return value


def _unpacked(document: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value that `_packed` was given."""
    if not isinstance(document, dict):
        return document
    ((kind, content),) = document.items()
    if kind == "tensor":
        return tensors[content].clone()
    if kind == "map":
        return {_unpacked(key, tensors): _unpacked(entry, tensors) for key, entry in content}
    entries = [_unpacked(entry, tensors) for entry in content]
    return tuple(entries) if kind == "tuple" else entries


def saved_place(document: Mapping) -> Place:
    """Where training stood when a state was captured."""
    try:
        kinds = {entry.name: cast(type, entry.type) for entry in fields(Place)}
        return Place(**{name: require_type(document["place"][name], kind, name) for name, kind in kinds.items()})
    except (KeyError, TypeError) as error:
        raise IntegrityError(Fault("it does not say where training stood", "checkpoints/last", "train again")) from error


def same_everywhere(trainer: Trainer, number: int) -> int:
    """The largest of the processes' numbers."""
    if trainer.world_size == 1:
        return number
    return int(trainer.strategy.reduce(torch.tensor(float(number), device=trainer.strategy.root_device), reduce_op="max"))
