"""What a composed config may not say, although Hydra would take it: open values, resolver calls, references without end."""

from collections.abc import Iterator

from recsys.config.references import calls, expansion_faults, texts
from recsys.errors import Fault

MISSING = "???"


def text_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """Texts of a plain, unresolved config that may not be resolved."""
    refused = [*resolver_faults(config, origin), *missing_faults(config, origin)]
    yield from refused or expansion_faults(config, origin)


def resolver_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """Interpolations of a plain, unresolved config that are more than the name of another key."""
    for key, text in texts(config):
        if calls(text):
            place = origin.get(key, "config")
            yield Fault(f"'{text:.80}' calls a resolver", f"{place}, key '{key}'", "write the value; only ${another.key} is read here")


def missing_faults(config: dict, origin: dict[str, str]) -> Iterator[Fault]:
    """Values that a yaml file leaves open with ???."""
    for key, text in texts(config):
        if text == MISSING:
            place = origin.get(key, "config")
            yield Fault(f"'{key}' has to be given", f"{place}, key '{key}'", f"set {key}=<value>")
