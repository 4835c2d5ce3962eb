"""LSL: language/ turns source into WebAssembly, machine/ runs, pauses and saves it, library/ holds the ll*
functions."""
