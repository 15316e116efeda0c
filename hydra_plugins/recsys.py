"""What `hydra/sweeper` and `hydra/launcher` of conf name: Hydra finds and builds plugins in this package alone."""

from recsys.sweep import launcher, sweeper


class OptunaSweeper(sweeper.OptunaSweeper):
    """See `recsys.sweep.sweeper`."""


class JoblibLauncher(launcher.JoblibLauncher):
    """See `recsys.sweep.launcher`."""


class SubmititLauncher(launcher.SubmititLauncher):
    """See `recsys.sweep.launcher`."""
