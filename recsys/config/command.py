"""Faults of override lists against conf and the code, all at once, without Hydra's traces.

An override is a choice (`loss=bpr`, of a file in conf/<group>) or a key (`loss.temperature=0.1`). A key that no yaml file sets may
still be one that its target takes, so such keys are added to the config (`++`) and `check_config` decides.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import yaml
from hydra._internal.defaults_list import DefaultsList
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from recsys.config.check import check_config
from recsys.config.files import config_file, key_lines, shown_path
from recsys.config.overrides import PLUGIN_KEYS, OverrideValue
from recsys.config.refusals import hydra_faults, text_faults, value_at
from recsys.errors import ConfigError, Fault
from recsys.schema import nearest

COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError)
"""Errors of Hydra for strange overrides."""
ABSENT = object()


class Command:
    """What conf offers, and the faults of override lists.

    `first` has hydra.run.dir, hydra.sweep.dir and the typed config of the first run without a fault.
    """

    def __init__(self, conf: Sequence[Path], name: str, root: type, loader: ConfigLoader):
        self.conf, self.name, self.root, self.loader = conf, name, root, loader
        self.first: tuple[Path, Path, Any] | None = None
        self.added: set[str] = set()
        self.groups: dict[str, list[str]] = {}
        self.composed: dict[tuple[str, ...], DictConfig] = {}

    def faults(self, values: list[OverrideValue]) -> list[Fault]:
        """Every fault of one run."""
        try:
            config = self.loaded(values)
        except COMPOSITION_ERRORS:
            return self.faults_one_by_one(values)
        return self.config_faults(config, values)

    def loaded(self, values: list[OverrideValue]) -> DictConfig:
        """The composed config, not resolved and only to be read; half a second of Hydra for each new list of overrides."""
        texts = tuple(entry.text if entry.text.startswith("+") else self.as_known(entry.override, entry.text) for entry in values)
        if texts not in self.composed:
            self.composed[texts] = self.loader.load_configuration(self.name, list(texts), RunMode.RUN)
        return self.composed[texts]

    def options(self, group: str, kind: ObjectType = ObjectType.CONFIG) -> list[str]:
        """Names of the files of a group, or of the groups in it."""
        return self.loader.get_group_options(group, kind)

    def defaults(self, choices: Iterable[str]) -> DefaultsList:
        """The defaults list of the root with these choices."""
        return self.loader.compute_defaults_list(self.name, list(choices), RunMode.RUN)

    def as_known(self, override: Override, text: str) -> str:
        """The override as Hydra wants it, once `faults` has seen that its key is a new one."""
        return f"++{text}" if override.key_or_group in self.added else text

    def faults_one_by_one(self, values: list[OverrideValue]) -> list[Fault]:
        """Faults of a run that Hydra refuses at the first of them: of its choices, then of its keys."""
        choices = [entry for entry in values if self.is_choice(entry.override)]
        accepted, faults = self.accepted(choices)
        try:
            base = plain_config(self.loaded(accepted))
        except COMPOSITION_ERRORS as error:
            return [*faults, _file_fault(error)]
        unknown = tuple(f"{entry.override.package or entry.override.key_or_group}." for entry in choices if entry not in accepted)
        keys = [entry for entry in values if entry not in choices and not entry.override.key_or_group.startswith(unknown)]
        keys = [self.added_where_new(entry, base) for entry in keys]
        try:
            config = self.loaded(accepted + keys)
        except COMPOSITION_ERRORS:
            return faults + list(self.key_faults(accepted, keys))
        return faults + self.config_faults(config, accepted + keys)

    def is_choice(self, override: Override) -> bool:
        group = override.key_or_group
        parent, _, last = group.rpartition("/")
        if parent not in self.groups:
            self.groups[parent] = self.options(parent, ObjectType.GROUP)
        return last in self.groups[parent] and not isinstance(override.value(), dict)

    def accepted(self, choices: list[OverrideValue]) -> tuple[list[OverrideValue], list[Fault]]:
        """The choices that exist and have a place, and a fault for each other."""
        pairs = [(entry, self.choice_fault(entry)) for entry in choices]
        rest = [entry for entry, fault in pairs if fault is None]
        faults = [fault for _, fault in pairs if fault is not None]
        if self.composes(rest):
            return rest, faults
        placed: list[OverrideValue] = []
        while fitting := [entry for entry in rest if self.composes([*placed, entry])]:  # a choice can bring the group of another
            placed, rest = [*placed, fitting[0]], [entry for entry in rest if entry is not fitting[0]]
        return placed, faults + [self.placement_fault(entry, placed) for entry in rest]

    def choice_fault(self, entry: OverrideValue) -> Fault | None:
        group, value = entry.override.key_or_group, entry.text.partition("=")[2]
        if entry.override.is_delete() or group.startswith("hydra/"):
            return None
        for choice in value.strip("[]").split(","):
            folder, _, last = choice.strip().rpartition("/")
            options = self.options(f"{group}/{folder}".rstrip("/"))
            if last not in options:
                return Fault(f"there is no {group} '{choice}'{nearest(last, options)}", entry.where, f"use one of {', '.join(options)}")
        return None

    def composes(self, choices: list[OverrideValue]) -> bool:
        try:
            self.defaults(entry.text for entry in choices)
        except COMPOSITION_ERRORS:
            return False
        return True

    def placement_fault(self, entry: OverrideValue, placed: list[OverrideValue]) -> Fault:
        try:
            defaults = self.defaults(other.text for other in placed)
        except COMPOSITION_ERRORS as error:
            return _file_fault(error)
        groups = [key for key in defaults.overrides.known_choices if not key.startswith("hydra/")]
        key = entry.override.get_key_element()
        close = [other for other in groups if other.partition("@")[0] == entry.override.key_or_group] or groups
        return Fault(f"nothing in this config is chosen by '{key}'{nearest(key, groups)}", entry.where, f"use one of {', '.join(close)}")

    def added_where_new(self, entry: OverrideValue, base: dict) -> OverrideValue:
        plugin = entry.override.key_or_group.startswith(PLUGIN_KEYS)
        others = entry.override.is_hydra_override() and not plugin
        plain = entry.override.is_add() or entry.override.is_force_add() or entry.override.is_delete() or others
        mapping = isinstance(entry.override.value(), dict)  # it may bring keys of its own, which Hydra takes for new ones
        if plain or (value_at(base, entry.override.key_or_group, ABSENT) is not ABSENT and not mapping):
            return entry
        self.added.add(entry.override.key_or_group)
        return replace(entry, text=f"++{entry.text}")

    def key_faults(self, accepted: list[OverrideValue], keys: list[OverrideValue]) -> Iterator[Fault]:
        """Faults of the keys that Hydra refuses, each composed alone."""
        for entry in keys:
            try:
                self.loaded([*accepted, entry])
            except COMPOSITION_ERRORS as error:
                yield Fault(_first_line(error), entry.where, f"see the keys with --cfg job; this one is '{entry.override.key_or_group}'")

    def config_faults(self, config: DictConfig, values: list[OverrideValue]) -> list[Fault]:
        """Faults of a composed config; files and lines are looked up only if there are any."""
        return list(self.faults_at(config, self.origin(values))) if list(self.faults_at(config, {})) else []

    def faults_at(self, config: DictConfig, origin: Mapping[str, str]) -> Iterator[Fault]:
        plain = plain_config(config)
        yield from hydra_faults(plain.pop("hydra"))
        if refused := list(text_faults(plain, origin)):  # other values may depend on these
            yield from refused
            return
        try:
            resolved = plain_config(OmegaConf.create(plain), resolve=True)
            typed = check_config(resolved, self.root, origin=origin)
            if self.first is None:
                HydraConfig.instance().set_config(config)  # for ${hydra:...} in the directory's name
                self.first = Path(config.hydra.run.dir).absolute(), Path(config.hydra.sweep.dir).absolute(), typed
        except OmegaConfBaseException as error:
            place = origin.get(str(error.full_key), self.name)
            yield Fault(_first_line(error), f"{place}, key '{error.full_key}'", "an interpolation like ${data.root} names another key")
        except ConfigError as error:
            yield from error.faults

    def origin(self, values: list[OverrideValue]) -> dict[str, str]:
        """{dotted key: the file and line, or the override, that set it last}."""
        choices = [entry.text for entry in values if self.is_choice(entry.override)]
        places: dict[str, str] = {}
        for default in self.defaults(choices).defaults:
            path = config_file(self.conf, str(default.config_path))
            if path is not None:
                folder = next(folder for folder in self.conf if path.is_relative_to(folder))
                for key, line in key_lines(path).items():
                    places[".".join(filter(None, [default.package, key]))] = f"{shown_path(path, folder)}, line {line}"
        for entry in values:
            places[entry.override.key_or_group] = f"{entry.place}, {entry.override.input_line}"
        return places


def plain_config(config: DictConfig, *, resolve: bool = False) -> dict[str, Any]:
    """A config of Hydra as mappings, lists, text and numbers."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))


def _file_fault(error: Exception) -> Fault:
    """A yaml file that Hydra could not read or place."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        where = f"{error.problem_mark.name}, line {error.problem_mark.line + 1}"
        return Fault(f"not readable as yaml: {error.problem}", where, "correct that line")
    return Fault(_first_line(error), "the defaults lists of conf", "name files that exist; each group is chosen once")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
