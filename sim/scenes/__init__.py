"""Scenes: what stands in a region when it opens, written down in a file.

    forms      a prim's form in the words of a viewer's build tool -> path and profile
    checking   a value out of a file, or an error that says which and what to do
    reading    file -> Scene: every prim, every copy
    placing    Scene -> objects and bodies of a region

`docs/scenes.md` is for those who write one.
"""

from sim.scenes.checking import SceneError
from sim.scenes.placing import place
from sim.scenes.reading import NO_SCENE, Scene, load

__all__ = ["NO_SCENE", "Scene", "SceneError", "load", "place"]
