"""Launch, supervise and look into a grid: the `mainland` command.

Read in this order: `cli.py` (what a user can type), `up.py` (what `mainland up` does, step by step), `supervisor.py`
(the processes' life), then the small files they lean on: `plan.py`, `layout.py`, `ports.py`, `child.py`, `status.py`.
"""
