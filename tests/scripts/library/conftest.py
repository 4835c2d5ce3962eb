"""Properties take as long as a busy machine makes them: no example fails for its time."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
