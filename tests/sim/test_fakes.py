"""The services in memory have the methods and parameters of the real clients."""

from __future__ import annotations

import inspect

import pytest

from assets.client import AssetClient
from backbone.client import BackboneClient
from tests.kit.backbones import FakeAssets, FakeBackbone

PAIRS = [(FakeBackbone, BackboneClient), (FakeAssets, AssetClient)]


@pytest.mark.parametrize(("fake", "real"), PAIRS)
def test_every_call_of_the_fake_is_one_of_the_client(fake: type, real: type) -> None:
    calls = [name for name, value in vars(fake).items() if inspect.iscoroutinefunction(value)]
    assert calls
    for name in calls:
        ours = inspect.signature(getattr(fake, name)).parameters.values()
        theirs = inspect.signature(getattr(real, name)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs], name
