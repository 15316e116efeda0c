"""What a publication does, in its order."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def steps(monkeypatch):
    """The names of what is synced and renamed from now on, in their order."""
    fsync, replace, found = os.fsync, os.replace, []

    def synced(descriptor):
        found.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
        fsync(descriptor)

    def renamed(source, target):
        found.append(f"rename {Path(source).name} {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    return found
