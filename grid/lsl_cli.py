"""`mainland lsl`: run, check, test and profile scripts without a world, and look up the language. The engine is the
sim's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

lsl_app = typer.Typer(
    name="lsl", help="Run, check, test and profile LSL scripts without a world.", no_args_is_help=True
)

Files = Annotated[list[Path], typer.Argument(help="Script files.", exists=True, dir_okay=False)]
File = Annotated[Path, typer.Argument(help="A script file.", exists=True, dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Touches = Annotated[int, typer.Option("--touch", min=0, help="Touches after the start.")]
Seconds = Annotated[float, typer.Option("--for", min=0.0, help="Seconds of world time to run, on a fake clock.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds of real time after which to give up.")]


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@lsl_app.command()
def run(
    file: File,
    as_json: Json = False,
    touch: Touches = 0,
    seconds: Seconds = 60.0,
    pause_every: Annotated[
        int,
        typer.Option(min=0, help="Pause at every Nth checkpoint and go on in a fresh instance from the saved state."),
    ] = 0,
    timeout: Timeout = 60.0,
    seed: Annotated[int, typer.Option(help="For llFrand and its kin.")] = 1,
) -> None:
    """Run a script and print what it says. Exit 0, 1 after a run-time error, 2 after compile errors."""
    from sim.scripts.tools.runner import run as run_script

    raise typer.Exit(
        run_script(
            file,
            _out,
            as_json=as_json,
            touches=touch,
            seconds=seconds,
            pause_every=pause_every,
            timeout=timeout,
            seed=seed,
        )
    )


@lsl_app.command()
def check(files: Files, as_json: Json = False) -> None:
    """List all compile errors as FILE:LINE:COLUMN, from 1 (in JSON from 0). Exit 2 if there are any."""
    from sim.scripts.tools.runner import check as check_files

    raise typer.Exit(check_files(files, _out, as_json=as_json))


@lsl_app.command()
def test(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Scenario (*.test) and Python (*_test.py) files, or folders.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run tests of scripts, each also paused and restored at every checkpoint. Exit 1 if one fails."""
    from sim.scripts.tools.testing import run_tests

    results = run_tests(paths or [Path()])
    for result in results:
        if as_json:
            _out(json.dumps({"name": result.name, "passed": result.passed, "message": result.message}))
        else:
            _out(f"{'ok  ' if result.passed else 'FAIL'} {result.name}")
            if result.message:
                _out("     " + result.message.rstrip().replace("\n", "\n     "))
    failed = sum(not result.passed for result in results)
    if not as_json:
        _out(f"{len(results) - failed} passed, {failed} failed")
    raise typer.Exit(1 if failed else 0)


@lsl_app.command()
def profile(
    file: File, as_json: Json = False, touch: Touches = 0, seconds: Seconds = 60.0, timeout: Timeout = 60.0
) -> None:
    """Show where a script's time goes, by function and line."""
    from sim.scripts.tools.profiler import profile as profile_script
    from sim.scripts.tools.profiler import table
    from sim.scripts.tools.runner import CompileError, finding_as_json, read_source

    try:
        result, world = profile_script(file, touches=touch, seconds=seconds, timeout=timeout)
    except CompileError as error:
        for finding in error.findings:
            _out(finding_as_json(finding, str(file)) if as_json else f"{file}:{finding}")
        raise typer.Exit(2) from None
    _out(json.dumps(result.facts()) if as_json else table(result, read_source(file)))
    raise typer.Exit(1 if world.failed else 0)


@lsl_app.command()
def docs(
    name: Annotated[str | None, typer.Argument(help="A function, event or constant.")] = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the whole reference and the coverage table to a folder.")
    ] = None,
) -> None:
    """Say what a function, event or constant is."""
    from sim.scripts.tools.reference import describe, nearest, reference

    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for page, text in reference().items():
            (write / page).write_text(text, "utf-8")
        return
    if name is None:
        raise typer.BadParameter("give a name, or --write FOLDER")
    found = describe(name)
    if found is not None:
        _out(found)
        return
    close = nearest(name)
    _out(f"LSL has no {name}" + (f"; did you mean {', '.join(close)}?" if close else ""))
    raise typer.Exit(1)


if __name__ == "__main__":
    lsl_app()
