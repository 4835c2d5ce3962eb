"""The gateway: one process between browsers and a grid.

    browser --- page, pictures: HTTP ---+
    browser === frames: WebSocket =======+== gateway ==  LLUDP, capabilities  == regions
    browser === ...                     ===+  (a viewer.Client for each browser)

It speaks for each browser as any viewer would, through this package's own client library; nothing in a region knows
that a page is behind it. ``app`` is the HTTP face, ``sessions`` who is logged in, ``link`` one person's stream of
frames and commands, ``frames`` the bytes, ``pictures`` textures as WebP.
"""
