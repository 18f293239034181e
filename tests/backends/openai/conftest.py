"""What the tests of this backend share."""

import pytest
from waiting import GUARD

from rerankllm.backends import remote
from rerankllm.backends.openai import endpoint, server

KEY = "sk-proj-0123456789-very-secret"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A key, and nothing else that the surroundings could add."""
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch):
    """Hosts that answer are given the time to, and no cool-down ends by itself."""
    monkeypatch.setattr(server, "LOOK_SECONDS", GUARD)
    monkeypatch.setattr(endpoint, "CONNECT_SECONDS", GUARD)
    monkeypatch.setattr(remote, "COOL_DOWN", GUARD)
