"""The verbs: make, copy, remove, link, place, edit, permit ... one file a family.

An action is a function of a `Region`, of who acts (`may.Actor`) and of what is wished for:

    refused = edit.shape(region, actor, prim, fields)

It asks who may (`may.py`), changes the world, notes the change (`world/changes.py`) and returns what came of it: the
result, or a `Refused` with the words that the person is told. It sends nothing, sees no `Message`, and knows neither
circuits nor handlers, capabilities, interest, neighbours and services: those decode a wish, call the action and say what
it answered. So a rule holds whoever asks: a viewer, a script, a scene, a neighbour, an operator.
"""
