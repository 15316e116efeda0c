"""What an export asks of retrieval; see `recsys.export.section`."""

from collections.abc import Iterator, Mapping

from recsys.report.markdown import code
from recsys.schema import Schema
from recsys.task.retrieval.export.parity import SCORE_TOLERANCE
from recsys.task.retrieval.export.questions import questions_of
from recsys.task.retrieval.export.section import section_of

__all__ = ["questions_of", "section_of"]

GRAPH = "retriever.onnx"
PLACE = "run"
COLUMNS = ("user", "item")
ASKED = ("user",)
PARITY = "parity"
SEARCHES = True


def parity_words(figures: Mapping) -> tuple[str, str]:
    """The limit, and the difference found."""
    limit = f"scores within {SCORE_TOLERANCE:.0e}, lists equal but for ties"
    return limit, f"{figures['max_score_difference']:.1e} over {figures['lists']:,} lists"


def card_lines(manifest: Mapping, schema: Schema, model: str) -> list[str]:
    """From what to what it goes."""
    if "items" not in manifest:
        return []
    items = manifest["items"]
    return [
        f"- Retrieval ({code(model)}): from a user's columns to the best of {items['count']:,} items, by dot products in "
        f"{manifest['dim']} dimensions; answers {code(items['column'])} ({items['dtype']})."
    ]


def card_limits(manifest: Mapping, schema: Schema) -> Iterator[str]:
    """New items, and columns that a user's vector cannot depend on."""
    if "items" not in manifest:
        return
    yield f"The catalogue is fixed: items beyond these {manifest['items']['count']:,} are answered only after another export."
    if schema.of("context"):
        yield f"Retrieval does not read {', '.join(code(feature.column) for feature in schema.of('context'))}."
