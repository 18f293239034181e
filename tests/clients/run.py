"""Runs real clients against a real server: `bash .ci/clients`.

Every client is a file of this folder; its first lines say what to install and, as a docstring or comment, what it shows.
It is given `BASE`, the server's address, and succeeds or exits with what it got instead. `PYTHON` has rerankllm when it
runs in `ROOT`, for one that starts a server of its own. What stands behind `older:` are versions that projects still pin:
such a client runs twice.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ALIASES = ("--alias", "default=pointwise @ embed:minilm", "--alias", "*=pointwise @ embed:minilm")
INSTALLS = re.compile(r"^(?:#|//) (?:install|older): (.*)$", re.MULTILINE)
ADDRESS = re.compile(r"listening at (http://\S+);")
PATIENCE = 600


def main(names: list[str]) -> int:
    files = sorted(each for each in HERE.iterdir() if INSTALLS.search(each.read_text(encoding="utf-8")))
    clients = [file for file in files if file != Path(__file__) and (not names or file.stem in names)]
    failed, runs = [], 0
    with tempfile.TemporaryDirectory(prefix="rerankllm-clients-") as scratch:
        log = Path(scratch) / "server.log"
        command = [sys.executable, "-m", "rerankllm", "serve", "--port", "0", "--max-documents", "100", *ALIASES]
        with log.open("w") as out:
            server = subprocess.Popen(command, stderr=out, cwd=ROOT)
        try:
            base = address(server, log)
            for client in clients:
                for number, packages in enumerate(INSTALLS.findall(client.read_text(encoding="utf-8"))):
                    status = run(client, packages.split(), base, Path(scratch) / f"{client.stem}-{number}")
                    failed += [client.stem] if status == "failed" else []
                    runs += 1
        finally:
            server.terminate()
            server.wait(60)
    print(f"{runs - len(failed)} of {runs} clients as expected" + (f"; not: {failed}" if failed else ""))
    return bool(failed)


def address(server: "subprocess.Popen[bytes]", log: Path) -> str:
    """Where the server listens, once it does."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        found = ADDRESS.search(log.read_text())
        if found:
            return found[1]
        time.sleep(0.2)
    sys.exit(log.read_text())


def run(client: Path, packages: list[str], base: str, folder: Path) -> str:
    """Installs and runs a client, and prints what it says."""
    folder.mkdir()
    try:
        made = of_python(packages, folder) if client.suffix == ".py" else of_node(packages, folder)
    except subprocess.CalledProcessError as error:
        print(f"{client.stem}: FAILED\n  cannot be installed: {error}", flush=True)
        return "failed"
    if made is None:
        print(f"{client.stem}: skipped, as there is no npm")
        return "skipped"
    shutil.copy(client, folder / client.name)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"BASE": base, "PYTHON": sys.executable, "ROOT": str(ROOT)}
    command = [*made, str(folder / client.name)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    said = "\n  ".join((done.stdout if done.returncode == 0 else done.stdout + done.stderr).strip().splitlines()[-25:])
    print(
        f"{client.stem} ({versions(made, packages, folder)}): {'ok' if done.returncode == 0 else 'FAILED'}\n  {said}",
        flush=True,
    )
    return "ok" if done.returncode == 0 else "failed"


def of_python(packages: list[str], folder: Path) -> list[str]:
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    quiet = ["-qq", "--disable-pip-version-check", "--prefer-binary"]
    subprocess.run([str(python), "-m", "pip", "install", *quiet, *packages], check=True)
    return [str(python)]


def of_node(packages: list[str], folder: Path) -> list[str] | None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    quiet = ["--silent", "--no-audit", "--no-fund", "--no-save"]
    subprocess.run([npm, "install", *quiet, *packages], check=True, cwd=folder)
    return [node]


def versions(made: list[str], packages: list[str], folder: Path) -> str:
    """What was installed."""
    names = [re.split(r"[=<>\[]|(?<=.)@", name)[0] for name in packages]
    if made[0].endswith("node"):
        script = (
            "for (const n of process.argv.slice(1)) console.log(n, require(`./node_modules/${n}/package.json`).version)"
        )
        command = [made[0], "-e", script, *names]
    else:
        command = [
            made[0],
            "-c",
            "import sys\nfrom importlib.metadata import version\nfor n in sys.argv[1:]: print(n, version(n))",
            *names,
        ]
    return ", ".join(
        subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
