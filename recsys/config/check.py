"""Check of a config before anything is built: every key, value and target is held against the code."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import fields, is_dataclass
from pkgutil import resolve_name
from typing import Annotated, Any

from recsys.config import Makes
from recsys.config.nodes import signature, typed_config
from recsys.config.target import locate
from recsys.config.values import UNIONS, WORDS, alternatives, choices, elements, fits, hint, mapping_values, plain, returned, ruled, words
from recsys.errors import ConfigError, Fault
from recsys.ranges import keeps
from recsys.schema import nearest

EVERYTHING = ""
"""Key of `origin` for a key that has no entry there, nor have its parents."""


def check_config(config: Mapping[str, Any], root: type, *, origin: Mapping[str, str]) -> Any:
    """A resolved config as the root config that it fits, down to the arguments of every `_target_`.

    Args:
        config: plain mapping, interpolations resolved.
        root: closed dataclass such as `TrainConfig`.
        origin: {dotted key: file and line, or command line} for messages; a key without one is looked up by its parents.
    Raises:
        ConfigError: with every fault at once.
    """
    faults = list(Check(origin).closed(config, root, ""))
    if faults:
        raise ConfigError(*faults)
    return typed_config(config, root)


class Check:
    """Yields the faults of a config, depth first. `path` is the dotted key of the value at hand."""

    def __init__(self, origin: Mapping[str, str]):
        self.origin = origin

    def where(self, path: str) -> str:
        """Place of a key: of itself, or of the nearest key around it."""
        key = path
        while key not in self.origin and key:
            key = key.rpartition(".")[0]
        return f"{self.origin[key]}, key '{path}'" if key in self.origin else f"key '{path or 'root'}'"

    def value(self, value: Any, annotation: Any, path: str) -> Iterator[Fault]:
        """Any value that stands where `annotation` is asked for."""
        if isinstance(value, dict):
            yield from self.mapping(value, annotation, path)
        elif isinstance(value, list):
            yield from self.sequence(value, annotation, path)
        elif not fits(value, annotation):
            yield self.unfit(value, annotation, path)

    def unfit(self, value: Any, annotation: Any, path: str) -> Fault:
        got = "null" if value is None else f"the text '{value}'" if isinstance(value, str) else str(value).lower()
        got = "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else got
        what = f"'{path}' takes {words(annotation)}, got {got}{nearest(str(value), choices(annotation))}"
        return Fault(what, self.where(path), hint(value, annotation))

    def sequence(self, value: list, annotation: Any, path: str) -> Iterator[Fault]:
        pairs = ruled(annotation)
        candidates = [(inner, rules) for kind, rules in pairs if (inner := (Any, ...) if kind is Any else elements(kind)) is not None]
        if not candidates:
            yield self.unfit(value, annotation, path)
            return
        attempts = [list(self.elements(value, inner, path)) for inner, _ in candidates]
        yield from min(attempts, key=len)
        if not min(attempts, key=len) and not any(all(keeps(value, rule) for rule in rules) for _, rules in candidates):
            yield Fault(f"'{path}' takes {words(annotation)}, got {value!r:.80}", self.where(path), f"give {words(annotation)}")

    def elements(self, value: list, kinds: tuple, path: str) -> Iterator[Fault]:
        if kinds[-1] is not ... and len(kinds) != len(value):
            yield Fault(f"'{path}' has {len(value)} values, {len(kinds)} are wanted", self.where(path), f"give {len(kinds)} values")
            return
        for number, entry in enumerate(value):
            yield from self.value(entry, kinds[0] if kinds[-1] is ... else kinds[number], f"{path}.{number}")

    def mapping(self, value: dict, annotation: Any, path: str) -> Iterator[Fault]:
        if "_target_" in value:
            yield from self.node(value, annotation, path)
            return
        kinds = alternatives(annotation)
        closed = [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]
        inner = [Any] if Any in kinds else [mapping_values(kind) for kind in kinds if mapping_values(kind) is not None]
        if _makes(annotation) is not None:
            what = f"'{path}' has no _target_" + (f" but {', '.join(map(str, value))}" if value else "")
            yield Fault(what, self.where(path), f"choose one of conf/{path.partition('.')[0]}, or add _target_")
        elif closed:
            yield from self.closed(value, closed[0], path)
        elif inner:
            for key, entry in value.items():
                yield from self.value(entry, inner[0], _join(path, key))
        else:
            yield self.unfit(value, annotation, path)

    def closed(self, value: Mapping[str, Any], kind: type, path: str) -> Iterator[Fault]:
        """A mapping whose keys are the fields of a dataclass, no more and no less."""
        taken = {entry.name: entry for entry in fields(kind)}
        hints = typing.get_type_hints(kind, include_extras=True)
        for key in value:
            if key not in taken:
                yield self.unknown(key, taken, path, "the config" if not path else f"'{path}'")
            else:
                yield from self.value(value[key], hints[key], _join(path, key))
        for key, entry in taken.items():
            if key not in value and entry.default is NO_DEFAULT and entry.default_factory is NO_DEFAULT:
                makes = _makes(hints[key])
                wanted = f"a node that builds {makes.base}" if makes else words(hints[key])
                yield Fault(f"'{_join(path, key)}' is missing", self.where(path), f"add {key}: {wanted}")

    def unknown(self, key: str, taken: Mapping[str, Any], path: str, name: str) -> Fault:
        what = f"nothing is called '{key}' in {name}{nearest(str(key), taken)}"
        return Fault(what, self.where(_join(path, key)), f"taken there: {', '.join(taken)}")

    def node(self, node: dict, annotation: Any, path: str) -> Iterator[Fault]:
        """A component: its target, what the target builds, and its arguments."""
        where = self.where(_join(path, "_target_"))
        try:
            target = locate(str(node["_target_"]))
        except ValueError as error:
            yield Fault(f"'{path}': {error}", where, "name a class of these packages, as the files of conf do")
            return
        partial = node.get("_partial_", False)
        if not isinstance(partial, bool):
            yield self.unfit(partial, bool, _join(path, "_partial_"))
        fault = self.misplaced(target, annotation, partial is True, path)
        if fault is not None:
            yield fault
        later = _later(node, target, annotation, partial is True or fault is not None)
        if fault is not None and _makes(annotation) is None:
            later -= node.keys()  # the component is what is wrong, not the keys that it takes
        yield from self.arguments(node, target, later, path)

    def misplaced(self, target: Any, annotation: Any, partial: bool, path: str) -> Fault | None:
        """Fault of a target that builds something else than its place takes, or builds it at another time."""
        where, makes = self.where(_join(path, "_target_")), _makes(annotation)
        kinds = (resolve_name(makes.base),) if makes else tuple(kind for kind in alternatives(annotation) if kind is not type(None))
        wants_partial = bool(makes.later) or makes.repeated if makes else all(returned(kind) is not None for kind in kinds)
        built_kinds = [returned(kind) if wants_partial and not makes else kind for kind in kinds]
        bases = [base for base in built_kinds if isinstance(base, type) and base not in (*WORDS, object)]
        if not bases:
            return Fault(f"'{path}' is no place for a _target_", where, "give a plain value")
        result = target if inspect.isclass(target) else signature(target).return_annotation
        if not (inspect.isclass(result) and any(issubclass(result, base) for base in bases)):
            wanted = " or ".join(f"{base.__module__}.{base.__name__}" for base in bases)
            built = result.__name__ if inspect.isclass(result) else "something else"
            return Fault(f"'{path}' builds {built}, which is no {wanted}", where, f"name a subclass of {wanted}")
        if wants_partial and not partial:
            return Fault(f"'{path}' is built at once, but takes what only a run knows", where, "add _partial_: true")
        if partial and not wants_partial:
            return Fault(f"'{path}' is a partial, but nothing completes it", where, "remove _partial_")
        return None

    def arguments(self, node: dict, target: Any, later: set[str], path: str) -> Iterator[Fault]:
        """Keys that the target takes, with values that fit, and every required one but those that the program adds later."""
        parameters = signature(target).parameters.values()
        named = {entry.name: entry for entry in parameters if entry.kind in (entry.POSITIONAL_OR_KEYWORD, entry.KEYWORD_ONLY)}
        taken = {name: entry for name, entry in named.items() if name not in later}
        any_key = any(entry.kind is entry.VAR_KEYWORD for entry in parameters)  # of other packages: ours has no **kwargs
        for key in node:
            if key in taken or (any_key and key not in (*later, "_target_", "_partial_")):
                yield from self.value(node[key], taken[key].annotation if key in taken else Any, _join(path, key))
            elif key not in ("_target_", "_partial_"):
                yield self.unknown(key, taken, path, f"'{path}', {target.__name__}")
        for key, entry in taken.items():
            if key not in node and entry.default is entry.empty:
                what = f"'{_join(path, key)}' is missing"
                yield Fault(what, self.where(_join(path, "_target_")), f"add {key}: {words(entry.annotation)}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else str(key)


def _makes(annotation: Any) -> Makes | None:
    """The `Makes` of a node's place in a root config, `| None` seen through."""
    parts = typing.get_args(annotation) if typing.get_origin(annotation) in UNIONS else (annotation,)
    extras = (extra for part in parts if typing.get_origin(part) is Annotated for extra in part.__metadata__)
    return next((extra for extra in extras if isinstance(extra, Makes)), None)


def _later(node: dict, target: Any, annotation: Any, partial: bool) -> set[str]:
    """Arguments that a node leaves to the program.

    At a place of a root config those that the place names. In a partial inside a node, of ours: required keyword-only arguments, and
    others that no yaml file can hold, such as tensors; of other packages: whatever the node does not give.
    """
    makes = _makes(annotation)
    if makes is not None:
        return set(makes.later)
    if not partial:
        return set()
    ours = target.__module__.startswith("recsys.")
    required = [entry for entry in signature(target).parameters.values() if entry.default is entry.empty]
    names = {entry.name for entry in required if entry.name not in node and not (ours and plain(entry.annotation))}
    return names | {entry.name for entry in required if ours and entry.kind is entry.KEYWORD_ONLY}
