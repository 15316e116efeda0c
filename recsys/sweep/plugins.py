"""Makes the sweeper and the launchers known to Hydra, which builds only what it can import from a package named `hydra_plugins`."""

import sys
from functools import cache
from types import ModuleType

from hydra.core.plugins import Plugins

from recsys.sweep.launcher import JoblibLauncher, SubmititLauncher
from recsys.sweep.sweeper import OptunaSweeper

PACKAGE, NAME = "hydra_plugins", "recsys"


@cache
def register() -> None:
    """Let conf/hydra name them as `hydra_plugins.recsys.<class>`, a module that stands in no file."""
    plugins = Plugins.instance()  # which looks for installed ones first
    package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    module = ModuleType(f"{PACKAGE}.{NAME}")
    sys.modules[module.__name__] = module
    setattr(package, NAME, module)
    for plugin in (OptunaSweeper, JoblibLauncher, SubmititLauncher):
        named = type(plugin.__name__, (plugin,), {"__module__": module.__name__, "__doc__": plugin.__doc__})
        setattr(module, plugin.__name__, named)
        plugins.register(named)
