"""Runs compiled scripts: the runtime module, instances, the scheduler, saving and restoring.

`engine.Engine` compiles and caches modules and knows the host functions; `instance.Instance` is one script's page and
wasm; `script.Script` is its life: states, queue, timer, sleep; `scheduler.Scheduler` shares the frame's time among
them. Everything that touches wasmtime's C interface is in `raw.py`.
"""
