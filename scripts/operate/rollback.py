"""Roll a chatbot back to a backup in six steps; a step that fails leaves the running service as it was.

    scripts/rollback-chatbot.sh                       # lists the backups and asks
    scripts/rollback-chatbot.sh --backup 20261123T101500Z-1.4.2 --yes

Called by rollback-chatbot.sh and rollback-chatbot.bat, which pass their arguments on. Code, configuration, installed versions
and data are restored; the logs stay (they tell what went wrong), and the database too, unless asked for. The state that is
replaced becomes a backup itself. Exit codes as in deploy.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import archive
import backup
import checks
import configuration
import environment
import marker
import processes
import service as services
import switch
from archive import Description
from backup import Listed
from layout import PARTS, Home, OperateError, Release
from steps import DECLINED, DONE, Run, confirmed, guarded
from swap import Swap, shown


def main() -> int:
    """Parse the command line and roll back."""
    options = parser().parse_args()
    home = Home(options.home.resolve())
    quiet = options.dry_run or options.list
    run = Run("rollback", 6, None if quiet else home.path / "operate.jsonl")
    return guarded(run, lambda: begin(options, run, home))


def begin(options: argparse.Namespace, run: Run, home: Home) -> int:
    """Recover from a killed run, list, choose, roll back."""
    folder = (options.backup_dir or home.path / "backups").resolve()
    service = services.of(home, options.unit, options.grace)
    if options.list:
        show(backup.listed(folder, home.known_identity()))
        return DONE
    with processes.only_one(home.path / ".lock"):
        said = switch.recovered(home, service)
        print(said, end="\n" if said else "")
        found = backup.listed(folder, home.known_identity())
        chosen = by_name(found, folder, options.backup) if options.backup else ask(found)
        if chosen is None:
            return DECLINED
        if options.dry_run:
            print(f"Would restore {chosen.id}: {', '.join(parts_of(options))}.")
            return DONE
        if not confirmed(f"Roll back to {chosen.id}?", yes=options.yes):
            return DECLINED
        return roll_back(options, run, home, service, chosen)


def roll_back(
    options: argparse.Namespace, run: Run, home: Home, service: services.Process | services.Unit, chosen: Listed
) -> int:
    """The six steps."""
    before = home.release
    config = configuration.read(home.part("service.env"))
    with run.step("Verify the backup") as say:
        description = archive.check(chosen.path, home.known_identity())
        say(f"{description.id}, version {description.version}, checksum is right")
        if options.with_database and not description.database:
            raise OperateError(f"{description.id} holds no database.", "Leave --with-database out, or choose another backup.")
    home.path.mkdir(parents=True, exist_ok=True)
    with Swap(home) as swap:
        with run.step("Unpack it beside the service") as say:
            backup.need_room(home.path, description.unpacked)
            archive.unpack(chosen.path, swap.new)
            release = Release.read(swap.new / "release.json")
            say(shown(description.unpacked))
        with run.step("Check the Python environment") as say:
            new = environment.make(home, release.venv, swap.new / "requirements.lock", swap.new / "packages")
            say("installed again" if new else "still there")
        with run.step("Back up the present state") as say:
            made = backup.make(home, chosen.path.parent, "rollback", config, database=options.with_database)
            say(made.id if made else "there is none")
        with ExitStack() as stack:
            with run.step("Stop, exchange, start") as say:
                instance = stack.enter_context(switch.live(home, service, swap, parts_of(options), release, options.timeout))
                say("ready")
            with run.step("Verify versions, health and a smoke test") as say:
                if options.with_database:
                    stack.push(undo_database(home, made, chosen.path.parent, config))
                    backup.restore_database(chosen.path, configuration.read(home.part("service.env")))
                say(verify(home, release, instance))
    keep_identity(home, description.service)
    marked = marker.mark(home, "rollback", release, before.version if before else "")
    run.note(result="rolled back", version=release.version, before=before.version if before else None, backup=chosen.id)
    print("\n".join(["", f"Version {release.version} runs on port {release.port}.", *marked]))
    return DONE


def verify(home: Home, release: Release, instance: checks.Instance) -> str:
    """Check the restored service; return what is right. OperateError for what is not."""
    wrong = environment.differences(release.installed, environment.installed(home, release.venv))
    if wrong:
        raise OperateError(
            f"Other versions than then: {', '.join(wrong[:5])}.", f"Remove venvs/{release.venv} and try again: it is made anew."
        )
    return f"{len(release.installed)} packages as they were, {instance.smoke(checks.questions(home.part('app')))}"


def undo_database(
    home: Home, made: Description | None, folder: Path, config: dict[str, str]
) -> Callable[[type[BaseException] | None, BaseException | None, TracebackType | None], bool]:
    """An exit callback that restores the database after a failure, from the backup that was made of the present state."""

    def undo(kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> bool:
        if kind is not None and made is not None and made.database:
            print(f"      putting the database of {made.id} back into {home.path}", flush=True)
            backup.restore_database(folder / f"{made.id}.tar.gz", config)
        return False

    return undo


def keep_identity(home: Home, identity: str) -> None:
    """Take over the name in the backup, if the service has never been on this machine."""
    if not home.known_identity():
        (home.path / "service.id").write_text(identity + "\n", encoding="utf-8")


def parts_of(options: argparse.Namespace) -> list[str]:
    """The parts that are restored."""
    return [part for part in PARTS if not (part == "data" and options.keep_data) and (part != "logs" or options.with_logs)]


def show(found: Sequence[Listed]) -> None:
    """Print the backups, the newest first."""
    if not found:
        print("There is no backup.")
    for number, one in enumerate(found, 1):
        if one.description is None:
            print(f"  -  {one.id}  UNUSABLE: {one.trouble}")
        else:
            what = one.description
            print(f"{number:3}  {what.created}  {what.version:<20} {shown(what.size):>8}  {what.reason:<8}  checksum is right")


def ask(found: Sequence[Listed]) -> Listed | None:
    """Let a person choose by number; None for q, or without a terminal."""
    show(found)
    usable = {str(number): one for number, one in enumerate(found, 1) if one.description}
    if not usable:
        raise OperateError("There is no backup that could be restored.", "Check --home and --backup-dir.")
    while True:
        try:
            answer = input("Which one? (number, or q) ").strip().lower()
        except EOFError:
            print()
            return None
        if answer in ("q", "quit"):
            return None
        if answer in usable:
            return usable[answer]
        print(f"{answer!r} is not one of {', '.join(usable)}, or q.")


def by_name(found: Sequence[Listed], folder: Path, name: str) -> Listed:
    """The backup of that name; OperateError says why it cannot be used."""
    for one in found:
        if one.id == name.removesuffix(".tar.gz"):
            if one.description is None:
                raise OperateError(one.trouble, "Choose another backup: --list shows them.")
            return one
    raise OperateError(f"There is no backup {name} in {folder}.", "--list shows which there are.")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="rollback-chatbot", description="Roll a chatbot back to a backup.")
    add = found.add_argument
    add("--home", type=Path, default=Path("service"), help="the service's folder (./service)")
    add("--backup-dir", type=Path, help="folder of the backups (backups in the service's folder)")
    add("--backup", help="which one; without it, a list is shown and asked from")
    add("--list", action="store_true", help="list the backups and do nothing")
    add("--keep-data", action="store_true", help="leave the data folder as it is")
    add("--with-logs", action="store_true", help="restore the logs too; without it they stay, with what went wrong in them")
    add("--with-database", action="store_true", help="restore the database's dump too; needs mongorestore")
    add("--unit", default="", help="systemd unit that runs the service; without one it is a process started here")
    add("--timeout", type=float, default=60.0, help="seconds until the service must be ready (60)")
    add("--grace", type=float, default=services.GRACE, help="seconds that the present one has to end (30)")
    add("--dry-run", action="store_true", help="say what would be restored; change nothing")
    add("--yes", action="store_true", help="do not ask")
    return found


if __name__ == "__main__":
    sys.exit(main())
