"""The kinds of feature, one per file."""

from recsys.schema.kind.base import Feature
from recsys.schema.kind.categorical import Categorical
from recsys.schema.kind.history import History
from recsys.schema.kind.multi_categorical import MultiCategorical
from recsys.schema.kind.numeric import Numeric
from recsys.schema.kind.timestamp import Timestamp
from recsys.schema.kind.vector import Vector

KINDS: dict[str, type[Feature]] = {kind.__name__: kind for kind in (Categorical, Numeric, MultiCategorical, History, Vector, Timestamp)}
"""{name of a kind in schema.json: its class}."""
