"""A full viewer's part, written from the wire upwards with the standard library alone and none of our protocol code.

What hippolyzer and node-metaverse don't do, it does: child circuits, crossing over them, sequence numbers from 1,
appended acks, resends, zero-coded packets. And being independent, it notices when both of our ends agree on a mistake.
"""
