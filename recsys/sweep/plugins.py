"""Makes the sweeper and the launchers known to Hydra, which builds only what is named as part of the package `hydra_plugins`."""

from functools import cache

from hydra.core.plugins import Plugins

from recsys.sweep.launcher import JoblibLauncher, SubmititLauncher
from recsys.sweep.sweeper import OptunaSweeper

PACKAGE = "hydra_plugins.recsys"


@cache
def register() -> None:
    """Let conf/hydra name them as `hydra_plugins.recsys.<class>`."""
    for plugin in (OptunaSweeper, JoblibLauncher, SubmititLauncher):
        Plugins.instance().register(type(plugin.__name__, (plugin,), {"__module__": PACKAGE, "__doc__": plugin.__doc__}))
