"""What an export asks of ranking; see `recsys.export.section`."""

from collections.abc import Iterator, Mapping

from recsys.config.target import component_name
from recsys.report.markdown import code
from recsys.schema import Schema, chains
from recsys.task.ranking.export.questions import questions_of
from recsys.task.ranking.export.section import section_of

__all__ = ["questions_of", "section_of"]

GRAPH = "ranker.onnx"
PLACE = "ranker"
COLUMNS = ("user", "item", "context", "bias")
ASKED = ("user", "item", "context")
PARITY = "ranker_parity"
SEARCHES = False


def parity_words(figures: Mapping) -> tuple[str, str]:
    """The limit, and the difference found."""
    return "probabilities within 1e-06", f"{figures['max_difference']:.1e} over {figures['rows']:,} rows"


def card_lines(manifest: Mapping, schema: Schema, model: str) -> list[str]:
    """Its labels, and their funnels."""
    if "labels" not in manifest:
        return []
    config = manifest.get("lineage", {}).get("config", {}).get("ranking", {}).get("task", {})
    calibration = f", calibrated by {code(component_name(config['calibration']))}" if config.get("calibration") else ""
    lines = [f"- Ranking ({code(model)}): predicts {', '.join(map(code, manifest['labels']))} of a row{calibration}."]
    for column, chain in chains(schema.labels).items():
        if len(chain) > 1:
            funnel = "_".join(chain)
            both = f", {code(funnel)} what is expected of a row before" if funnel in manifest["labels"] else ""
            lines.append(f"- {' → '.join(map(code, chain))} is a funnel: {code(column)} is what follows once {code(chain[-2])} is 1{both}.")
    return lines


def card_limits(manifest: Mapping, schema: Schema) -> Iterator[str]:
    """Columns that are not known, or may be missing, when a row is scored."""
    bias = [feature.column for feature in schema.of("bias")]
    if bias and "labels" in manifest:
        yield f"{', '.join(map(code, bias))}: known only once a row has been shown, so predictions are those of an unknown value."
    for limit in dict.fromkeys(feature.card_limit for feature in schema.features if feature.card_limit and "labels" in manifest):
        yield f"{', '.join(code(feature.column) for feature in schema.features if feature.card_limit == limit)}: {limit}"
