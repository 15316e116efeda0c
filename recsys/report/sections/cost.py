"""Time, memory and energy of a run."""

from recsys.report.content import Grid, Section
from recsys.report.words import duration, readable_size
from recsys.run.directory import RunDirectory

STAGES = {
    "prepare": "prepare the data, or find them prepared",
    "fit": "training",
    "evaluate": "validation while training",
    "baselines": "fitting baselines",
    "test": "test, of the model, baselines and the truth",
    "report": "files of the report, without this page",
    "other": "everything else",
}


def section(run: RunDirectory) -> Section:
    """Seconds by stage, speed, memory and energy."""
    seconds = run.cost["seconds"]
    total = seconds["total"]
    rows = [(STAGES[name], seconds[name], seconds[name] / total) for name in STAGES if name in seconds]
    grid = Grid("cost", "Time", ("stage", "seconds", "share"), (*rows, ("all", total, 1.0)))
    return Section("cost", "Cost", (" ".join(_sentences(run)),), (grid,))


def _sentences(run: RunDirectory) -> list[str]:
    cost, lineage = run.cost, run.lineage
    sentences = [f"{cost['rows']:,} rows of training"]
    sentences[0] += f", {cost['rows_per_s']:,.0f} a second." if cost["rows_per_s"] else "."
    processes = f" (of the first of {cost['processes']} processes)" if cost["processes"] > 1 else ""
    sentences.append(f"Peak memory {readable_size(cost['peak_memory_bytes'])}{processes}.")
    if cost["peak_gpu_memory_bytes"]:
        sentences.append(f"On the GPU {readable_size(cost['peak_gpu_memory_bytes'])}.")
    joules = cost["energy_joules"]
    if joules:
        parts = " and ".join(f"{value / 3.6e3:,.1f} Wh by the {noun.upper()}" for noun, value in joules.items())
        sentences.append(f"Energy: {parts}, with whatever else ran there.")
    else:
        sentences.append("The energy is not known: this machine does not measure it.")
    if times := len(lineage.get("resumed", [])):
        sentences.append(f"The run was interrupted and went on {times} time{'s' * (times > 1)}: all this is of the last part alone.")
    sentences.append(f"All in all {duration(cost['seconds']['total'])} on {lineage.get('platform', 'an unknown machine')}.")
    return sentences
