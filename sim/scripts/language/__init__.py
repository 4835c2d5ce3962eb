"""LSL source in, WebAssembly out.

The way of a script: `lexer` cuts the text into tokens, `parser` builds the tree (`syntax`), `checker` gives every
expression its type and folds constants, `emitter` writes the wasm text, `program` holds the result. `compile_script` in
`program.py` is the one door; every error of the source comes back at once, as `(line, column, message)` from 0.
"""
