"""What a test module needs, looked for without importing it: some packages take seconds to import in every worker."""

import importlib.util

import pytest


def needs(*packages: str, extra: str) -> None:
    """Skips the module that calls it where a package is not installed."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"needs the extra `{extra}`; absent: {', '.join(absent)}", allow_module_level=True)
