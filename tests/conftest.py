"""For all tests: property tests judge what comes out, never how long it took, since machines may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile("mainland", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mainland")
