'''The ll* functions: one decorated Python function each, one file a family.

How to add one
--------------
1. Pick the family's file (`strings.py`, `lists.py`, ...), or make one (found by itself). Its module docstring
   says in a line what the family is; it becomes the reference's chapter.
2. Write the function under its LSL name, with `script` first and Python types that mirror the table:

       integer int | float float | string str | key Key | vector Vector | rotation Rotation | list list[Item] | void
       None

       @ll
       def llStringLength(script: Script, text: str) -> int:
           """How many characters a text has."""
           return len(text)

   `from __future__ import annotations` goes at the top. The decorator checks names, count and types against
   `language/builtins.txt` at import, and raises DeclarationError. An integer result may be a bool. The docstring is the
   user's reference: what it does, quirks and errors, in plain words.
3. Forced sleep, needed permission and energy come from the table; write no code for them. When a permission is missing
   the function isn't called, its owner is told, and the result is zero or empty.
4. What it does not do yet goes into the decorator, for the coverage table: `@ll(lacks="ignores the precision flag")`.
5. Test it in `tests/scripts/library/test_FAMILY.py` by running LSL: `evaluate("llFoo(1)", ...)` and `said(source)` from
   `tests/scripts/bench.py` give what a script says, and run it again with a pause and a restore at every checkpoint.

What the function may count on
------------------------------
* Arguments are already of their type: integers 32 bits signed, floats rounded to 32 bits, texts without NUL.
  Results are wrapped and rounded for you (an int beyond 32 bits wraps). A list result may be the list you got: it is a
  copy.
* Values, casts and number formats are in `language/values.py`: Key, Vector, Rotation, to_string, string_to_integer, ...
* `script.now` is world time in seconds and `script.random` a seeded `random.Random`. Never read a clock or global
  random.
* `script.world` is the way to everything outside the script: the typed interface in `world.py`, cut by family. Prims,
  people and land are those of a `World`, in the region and at the command line alike: read them through `things.py`, and
  change them by `sim/actions` as viewers' edits do. What else you need of the world is one narrow method more.
* `script.complain("llFoo: ...")` tells the owner of wrong use, and the script goes on. `raise ScriptFailure("...")`
  stops the script with a run-time error; LSL seldom does that: "Math Error" is the usual one (`from
  sim.scripts.machine.failures import ScriptFailure`). Any other exception is a defect of ours: the script stops, the
  process goes on.
* `script.sleep(seconds)` pauses the script when your function returns. Never block, await or switch greenlets.
* Work that grows with its input is charged: `script.spend(n)`, about 300 a microsecond. Everything a script can pass
  is at most 64 KiB, so linear work is safe; anything worse needs a bound, and a `spend` that says so.
* State that must survive a save (listens, timers, grants) is an attribute of `Script`, so that `saved.py` sees it;
  state of the linkset or object belongs to the world.
'''

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

RAILS = {"common", "declare", "prim_rules", "prim_shapes", "things", "world"}  # modules here that are not families
FAMILIES = tuple(sorted([module.name for module in iter_modules(__path__) if module.name not in RAILS]))

for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")
