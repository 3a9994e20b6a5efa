"""Deploy a chatbot in six steps; a step that fails leaves the running service as it was.

    scripts/deploy-chatbot.sh --app my-app --requirements my-app/requirements.lock --config production.env

Called by deploy-chatbot.sh and deploy-chatbot.bat, which pass their arguments on. Exit codes: 0 deployed; 1 failed, all is as
before; 2 wrong arguments; 3 failed, and the service could not be put back; 4 the answer was no.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import backup
import checks
import configuration
import environment
import marker
import processes
import service as services
import switch
from layout import CODE, DEFAULT_COMMAND, ROOT, Home, OperateError, Release
from steps import DECLINED, DONE, Run, confirmed, guarded
from swap import Swap, shown, size_of

_NOT_CODE = shutil.ignore_patterns(".git", "__pycache__", ".venv", "venv", "*.pyc")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The options; for those that were not given, the values of the last deployment."""

    home: Home
    app: Path
    requirements: Path
    package: Path | None
    config: Path | None
    version: str
    port: int
    command: tuple[str, ...]
    backups: Path
    keep: int
    database: bool
    timeout: float

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Plan:
        """The plan; OperateError where a file is not there."""
        home = Home(options.home.resolve())
        last = home.release
        app = options.app.resolve()
        lock = options.requirements or app / "requirements.lock"
        if options.requirements is None and not lock.exists():
            lock = ROOT / "requirements" / "project.txt"
        for path in filter(None, (app, lock, options.config, options.package)):
            if not path.exists():
                raise OperateError(f"{path} does not exist.", "Check the arguments; --help lists them.")
        if app == home.path or home.path in app.parents:
            raise OperateError(f"{app} is inside of the service's folder.", "Deploy from a folder elsewhere.")
        names_it = any(line.lower().startswith("otel-chatbot") for line in lock.read_text(encoding="utf-8").splitlines())
        package = options.package or (None if names_it or options.no_package else ROOT)
        command = tuple(shlex.split(options.command)) if options.command else (last.command if last else DEFAULT_COMMAND)
        port = options.port or (last.port if last else 5000)
        return cls(
            home, app, lock, package, options.config, options.version or version_of(app), port, command,
            (options.backup_dir or home.path / "backups").resolve(), options.keep, not options.no_database, options.timeout,
        )  # fmt: skip

    @property
    def present_config(self) -> Path:
        """The configuration that the new version gets."""
        return self.config or self.home.part("service.env")

    def stage(self, new: Path) -> Release:
        """Prepare the new parts beside the old ones."""
        shutil.copytree(self.app, new / "app", ignore=_NOT_CODE, symlinks=True)
        shutil.copy2(self.requirements, new / "requirements.lock")
        text = self.present_config.read_text(encoding="utf-8-sig") if self.present_config.exists() else ""
        (new / "service.env").write_text(text, encoding="utf-8")
        (new / "service.env").chmod(0o600)
        if self.package is not None:
            environment.build_wheel(self.package, new / "packages")
        now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
        key = environment.key_of(new / "requirements.lock", new / "packages")
        return Release(self.version, now, self.port, key, self.command)


def main() -> int:
    """Parse the command line and deploy."""
    options = parser().parse_args()
    home = Home(options.home.resolve())
    run = Run("deploy", 6, None if options.dry_run else home.path / "operate.jsonl")
    service = services.of(home, options.unit, options.grace)
    return guarded(run, lambda: rehearse(options, run) if options.dry_run else begin(options, run, service))


def begin(options: argparse.Namespace, run: Run, service: services.Process | services.Unit) -> int:
    """Recover from a killed run, ask, deploy."""
    plan = Plan.from_options(options)
    configuration.read(plan.present_config)
    with processes.only_one(plan.home.path / ".lock"):
        said = switch.recovered(plan.home, service)
        print(said, end="\n" if said else "")
        if not confirmed(f"Deploy version {plan.version} of {plan.app} to {plan.home.path}?", yes=options.yes):
            return DECLINED
        return deploy(plan, run, service)


def deploy(plan: Plan, run: Run, service: services.Process | services.Unit) -> int:
    """The six steps."""
    home, before = plan.home, plan.home.release
    with run.step("Back up the current state") as say:
        made = backup.make(home, plan.backups, "deploy", configuration.read(home.part("service.env")), database=plan.database)
        say(f"{made.id}, {shown(made.size)}{', with the database' * made.database}" if made else "nothing is deployed yet")
    home.path.mkdir(parents=True, exist_ok=True)
    with Swap(home) as swap:
        with run.step("Check the Python environment") as say:
            switch.check_port(home, service, plan.port)
            release = plan.stage(swap.new)
            say(environment.check_python(home, release.venv))
        with run.step("Install dependencies") as say:
            new = environment.make(home, release.venv, swap.new / "requirements.lock", swap.new / "packages")
            release = dataclasses.replace(release, installed=environment.installed(home, release.venv))
            (swap.new / "release.json").write_text(release.to_text(), encoding="utf-8")
            say(f"{len(release.installed)} packages, {'installed' if new else 'installed before'}")
        config = configuration.read(swap.new / "service.env")
        with run.step("Verify the database connection") as say:
            say(checks.databases(home, release, config))
        try_out(plan, run, swap, release, service)
    marked = marker.mark(home, "deploy", release, before.version if before else "")
    removed = backup.remove_old(home, plan.backups, plan.keep)
    run.note(result="deployed", version=release.version, before=before.version if before else None, removed=removed)
    print("\n".join(["", f"Version {release.version} runs on port {release.port}.", *marked]))
    return DONE


def try_out(plan: Plan, run: Run, swap: Swap, release: Release, service: services.Process | services.Unit) -> None:
    """Steps 5 and 6: check a candidate first; if it is good, switch the service itself."""
    asked = checks.questions(swap.new / "app")
    with services.Candidate(plan.home, swap.new, release) as candidate:
        instance = checks.Instance(candidate.port, candidate.config, candidate.alive, candidate.said)
        with run.step("Run health checks on a candidate") as say:
            say(instance.healthy(plan.timeout))
        with run.step("Run smoke tests, go live") as say:
            say("candidate: " + instance.smoke(asked))
            candidate.end()
            with switch.live(plan.home, service, swap, CODE, release, plan.timeout) as itself:
                say("live: " + itself.smoke([]))


def rehearse(options: argparse.Namespace, run: Run) -> int:
    """Say what each step would do, and check what can be checked without changing anything."""
    plan = Plan.from_options(options)
    config = configuration.read(plan.present_config)
    service = services.of(plan.home, options.unit)
    with run.step("Back up the current state") as say:
        size = sum(size_of(plan.home.part(name)) for name in (*CODE, "data", "logs") if plan.home.part(name).exists())
        backup.need_room(plan.backups, size)
        say(f"would write {shown(size)}, packed, to {plan.backups}" if size else "nothing is deployed yet")
    with run.step("Check the Python environment") as say:
        switch.check_port(plan.home, service, plan.port)
        say(environment.check_python(plan.home, "none yet"))
    with run.step("Install dependencies") as say:
        locked = "--hash=" in plan.requirements.read_text(encoding="utf-8")
        say(f"would install {plan.requirements}{'' if locked else ' (not locked: no hashes)'}")
    with run.step("Verify the database connection") as say:
        say(f"would ask {configuration.masked(config.get('MONGODB_URI', 'no database: MONGODB_URI is not set'))}")
    with run.step("Run health checks on a candidate") as say:
        say(f"would start version {plan.version} on a free port: {shlex.join(plan.command)}")
    with run.step("Run smoke tests, go live") as say:
        asked = checks.questions(plan.app)
        say(f"would ask {', '.join(f'{one.method} {one.path}' for one in asked)}, then restart on port {plan.port}")
    return DONE


def version_of(app: Path) -> str:
    """The version of an app: from its VERSION file, else from git, else the time."""
    if (app / "VERSION").is_file():
        return (app / "VERSION").read_text(encoding="utf-8").strip()
    if shutil.which("git"):
        asked = subprocess.run(
            ["git", "-C", str(app), "describe", "--tags", "--always", "--dirty"], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return asked.stdout.strip()
    return f"{dt.datetime.now(dt.timezone.utc):%Y%m%d.%H%M%S}"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="deploy-chatbot", description="Deploy a chatbot in six steps.")
    add = found.add_argument
    add("--home", type=Path, default=Path("service"), help="the service's folder (./service)")
    add("--app", type=Path, default=ROOT / "examples" / "chatbot", help="the code's folder (this project's example)")
    add("--requirements", type=Path, help="the lock (requirements.lock in the code's folder, else this project's)")
    add("--package", type=Path, help="wheel or folder of otel-chatbot, where the lock does not name it (this project)")
    add("--no-package", action="store_true", help="the lock brings otel-chatbot by another name")
    add("--config", type=Path, help="file of NAME=value lines (the present one stays)")
    add("--version", help="of the code (its VERSION file, else git's)")
    add("--port", type=int, help="of the service (the present one; 5000)")
    add("--command", help="how it starts, with {python} {bin} {port} {data} (the present one; '{python} app.py')")
    add("--unit", default="", help="systemd unit that runs it; without one it is a process started here")
    add("--backup-dir", type=Path, help="folder of the backups (backups in the service's folder)")
    add("--keep", type=at_least_one, default=10, help="backups to keep (10)")
    add("--no-database", action="store_true", help="no dump of MongoDB, also where mongodump is installed")
    add("--timeout", type=float, default=60.0, help="seconds until the service must be ready (60)")
    add("--grace", type=float, default=services.GRACE, help="seconds that the old one has to end (30)")
    add("--dry-run", action="store_true", help="say what would be done; change nothing")
    add("--yes", action="store_true", help="do not ask")
    return found


def at_least_one(text: str) -> int:
    """A number of backups; ValueError for less than one: then no rollback would be possible."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
