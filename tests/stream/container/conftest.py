from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clips import clip


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """made(kind): a clip of 12 seconds, 0.4 to 3 MB."""
    folder = tmp_path_factory.mktemp("clips")
    return lambda kind: clip(folder, kind, seconds=12, noise=10)
