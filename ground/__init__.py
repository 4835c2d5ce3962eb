"""What every service process stands on: the green hub, the server loop and its limits, stacks on signals.

green.py    everything of eventlet: greenlets, native threads, batches, the server loop and its end

Knows nobody: Backbone and the asset service import it, and it imports neither.
"""
