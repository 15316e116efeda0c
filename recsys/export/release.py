"""What the bundle of one or two finished runs is released with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from recsys.config import ExportConfig, build
from recsys.export.bundle import Release
from recsys.export.gates import Limits
from recsys.export.index.base import SearchIndex
from recsys.export.lineage import lineage
from recsys.export.production import Production
from recsys.run.directory import RunDirectory
from recsys.task.base import facet


def release_of(
    config: ExportConfig,
    runs: Sequence[RunDirectory],
    *,
    production: Production | None,
    index: SearchIndex | None,
    reliability: Mapping[str, Mapping],
) -> Release:
    """What the bundle of these runs is released with.

    Args:
        production: the bundle to compare with.
        index: for approximate search.
        reliability: {label: curve} of the exported weights.
    Raises:
        ConfigError: the bundle in production cannot be asked what this one is asked.
    """
    if production is not None:
        production.check_columns(runs[0].schema, [run.task for run in runs])
    measured = any(each is not None for each in (production, config.quantize, index))
    lengths = {} if production is None else production.lengths()
    return Release(
        limits=Limits(**asdict(config.gate)),
        against=production,
        quantization=None if config.quantize is None else build(config.quantize),
        index=index,
        questions={run.task: facet(run.task, "export").questions_of(run, lengths) for run in runs if measured},
        lineage=lineage(runs),
        reliability=reliability,
        dry_run=config.dry_run,
    )
