"""The one error that malformed input from the wire may cause."""

from __future__ import annotations


class ProtocolError(ValueError):
    """Bytes, XML or values that the protocol does not allow.

    Raised by every decoder of this package for any bad input, and by encoders for values that do not fit the wire.
    The text names what was wrong and never repeats more than a few bytes of the input, so it is safe to log.
    """
