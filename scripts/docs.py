"""Build the documentation into .cache/site with mkdocs, warnings as errors; `--reference` only writes the page of commands.

    python scripts/docs.py

Fed by docs/, the package's docstrings and the command lines; feeds .cache/site and docs/reference/cli.md. The builder is
installed into .cache/docs-venv, from requirements/docs.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".cache" / "docs-venv"
PROGRAMS = VENV / ("Scripts" if os.name == "nt" else "bin")
REFERENCE = ROOT / "docs" / "reference" / "cli.md"
HEAD = """<!-- Written by `python scripts/docs.py --reference`: change the commands' own help instead. -->
# Commands

"""
TITLES = {
    "deploy-chatbot": "`scripts/deploy-chatbot.sh`, `scripts\\deploy-chatbot.bat`",
    "rollback-chatbot": "`scripts/rollback-chatbot.sh`, `scripts\\rollback-chatbot.bat`",
}


def reference() -> str:
    """The page of all commands, made from their own parsers."""
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts" / "operate")]
    import deploy
    import rollback

    from otel_chatbot.cli import parser as command_line

    told = []
    parsers = [command_line(), deploy.parser(), rollback.parser()]
    for parser in parsers:
        told.append(section(parser, TITLES.get(parser.prog, f"`{parser.prog}`")))
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                briefs = {choice.dest: choice.help for choice in action._choices_actions}
                told += [section(one, f"`{one.prog}`", briefs[name] or "") for name, one in action.choices.items()]
    return HEAD + "\n".join(told)


def section(parser: argparse.ArgumentParser, title: str, brief: str = "") -> str:
    """One command: its purpose and its arguments."""
    brief = brief or parser.description or ""
    lines = [f"## {title}", "", brief[:1].upper() + brief[1:].rstrip(".") + ".", ""]
    rows = []
    for action in parser._actions:
        if isinstance(action, (argparse._HelpAction, argparse._SubParsersAction)):
            continue
        name = ", ".join(action.option_strings) or (action.metavar if isinstance(action.metavar, str) else action.dest)
        if action.choices:
            name += f" {{{','.join(map(str, action.choices))}}}"
        rows.append(f"| `{name}` | {(action.help or '').replace('|', chr(92) + '|')} |")
    if rows:
        lines += ["| argument | meaning |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def install() -> None:
    """Make the virtual environment of the builder, unless it was made for this lock."""
    lock = ROOT / "requirements" / "docs.txt"
    recipe = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    marker = VENV / ".installed"
    if marker.exists() and marker.read_text() == recipe:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(PROGRAMS / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
    subprocess.run(pip, check=True)
    marker.write_text(recipe)


def main() -> int:
    """Write the reference, then build."""
    parser = argparse.ArgumentParser(description="Build the documentation.")
    parser.add_argument("--reference", action="store_true", help="only write docs/reference/cli.md")
    parser.add_argument("--install", action="store_true", help="only install the builder")
    options = parser.parse_args()
    if not options.install:
        told = reference()
        if REFERENCE.read_text(encoding="utf-8") != told:
            REFERENCE.write_text(told, encoding="utf-8")
    if not options.reference:
        install()
    if options.reference or options.install:
        return 0
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "true"}  # hides the theme's note about a successor
    command = [str(PROGRAMS / "python"), "-m", "mkdocs", "build", "--strict"]  # --quiet would hide the warnings from --strict
    built = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    print(built.stderr if built.returncode else f"built: {ROOT / '.cache' / 'site' / 'index.html'}")
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
