"""The command line: one file a command; each parses, calls, prints."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of ``suffice``. Exit codes: 0 done, 1 the request failed, 2 wrong usage."""
    from suffice.cli.app import app
    from suffice.cli.output import CommandLineError
    from suffice.errors import SufficeError

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except SufficeError as error:
        if debug:
            raise
        print(f"suffice: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, CommandLineError) else 1)
    except KeyboardInterrupt:
        print("suffice: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        print(f"suffice: {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        sys.exit(1)
