"""The `parity` command: turns whatever happens into one line and the exit code that belongs to it."""

from __future__ import annotations

import errno
import os
import sys
from typing import TextIO

from parity.errors import INTERRUPTED


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # before there was anything to interrupt
        sys.stderr.write("parity: Ctrl-C\n")
        code = INTERRUPTED
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    from parity.cli.app import app
    from parity.cli.speech import refusal, spoken
    from parity.errors import EnvironmentUnfit, UsageError
    from parity.lockstep import openblas as kernel
    from parity.render.texts.message import Message

    kernel.choose()  # before anything imports numpy
    lang = spoken(arguments, os.environ)
    try:
        code = int(app(arguments, prog_name="parity", standalone_mode=False, obj=lang) or 0)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _say(Message.about(error).said(lang), 2)
    except EnvironmentUnfit as error:
        return _say(Message.about(error).said(lang), 3)
    except KeyboardInterrupt:
        return _say(Message("cli_interrupted").said(lang), INTERRUPTED)
    except BrokenPipeError:
        _silence(sys.stdout)  # the reader has gone; so do we
        return INTERRUPTED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
        _silence(sys.stdout)
        return _say(Message("cli_output", reason=error).said(lang), 2)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of typer's
            told = error.format_message().strip()  # empty where typer has shown the help already
            return _say(refusal(error, lang), 2) if told else 2
        if type(error).__name__ == "Abort":
            return _say(Message("cli_interrupted").said(lang), INTERRUPTED)
        import traceback

        traceback.print_exc()
        return _say(Message("cli_fault").said(lang), 4)


def _silence(stream: TextIO) -> None:
    """What is still in the buffer goes nowhere, instead of failing again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(message: str, code: int) -> int:
    """One line on stderr, whatever the message holds; on GitHub Actions also where people look first."""
    from parity.report.ci import github

    said = " ".join(message.split())
    sys.stderr.write(f"parity: {said}\n")
    if github.on_github() and code != INTERRUPTED:
        github.annotate([github.Annotation("parity", said)])
    return code


def _without_this_folder() -> None:
    """Take out of the path the folder that `python -m` puts first: a file there is no module of ours."""
    here = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != here:
        del sys.path[0]


if __name__ == "__main__":
    _without_this_folder()
    main()
