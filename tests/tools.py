"""Programs that a user's machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str) -> str:
    """Its path.  Where it is missing the test skips and says so; CI installs it, so there it fails."""
    path = shutil.which(program)
    if path:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI must have it")
    pytest.skip(f"{program} is not installed")
