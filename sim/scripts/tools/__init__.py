"""Tools around the engine for people at a command line: a fake world, run, check, test, profile, docs."""
