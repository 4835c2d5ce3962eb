"""What both ends of a wire agree on: pure functions and tables, no sockets, no state, no clock.

* `message`, `table`, `messages.txt`: the UDP messages; `packet`: the datagram around one.
* `llsd`, `events`: the same messages and other values over HTTP.
* `objects`, `shapes`, `textures`: how a thing in the world is written down; `terrain`: how the ground is.
* `wellknown`: ids and numbers everybody shares; `errors`: the one error a decoder raises.
"""
