"""The textures and wearables that every viewer expects to find, drawn and written by our own code.

`catalog.py` lists them; the files beside it draw a family each; `assets/seeding.py` puts them into a store.
"""
