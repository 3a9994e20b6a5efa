"""Run the deployed release in the foreground: for a systemd unit's ExecStart, a Windows service or a container.

    python scripts/operate/run.py --home /srv/chatbot

Fed by the service's folder. On POSIX this process becomes the service, so its process id is the service's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import configuration
from layout import WINDOWS, Home, OperateError, Release
from service import command_of, environment


def deployed(home: Home) -> Release:
    """The deployed release; OperateError if there is none."""
    release = home.release
    if release is None:
        raise OperateError(f"Nothing is deployed in {home.path}.", "Deploy first.")
    return release


def main() -> int:
    """Become the service."""
    parser = argparse.ArgumentParser(description="Run what is deployed, in the foreground.")
    parser.add_argument("--home", type=Path, default=Path("service"), help="the service's folder (./service)")
    home = Home(parser.parse_args().home.resolve())
    try:
        release = deployed(home)
        config = configuration.read(home.part("service.env"))
        env = environment(home, release, config, release.port, home.part("data"), home.part("logs"))
        command = command_of(home, release, release.port, home.part("data"))
    except OperateError as error:
        print(error, file=sys.stderr)
        return 1
    if WINDOWS:  # exec there would leave a process that nobody waits for
        return subprocess.call(command, cwd=home.part("app"), env=env)
    os.chdir(home.part("app"))
    os.execvpe(command[0], command, env)  # does not return
    return 1


if __name__ == "__main__":
    sys.exit(main())
