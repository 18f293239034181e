"""Servers as fixtures."""

import pytest
from serving import inside, listening


@pytest.fixture
def client():
    with inside() as made:
        yield made


@pytest.fixture
def live():
    with listening() as made:
        yield made
