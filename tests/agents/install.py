"""Installs the agents that `test_agents.py` runs, in pinned versions, each in a prefix of its own.

``python tests/agents/install.py`` fills the folder that LANEWISE_AGENTS_DIR names (default `.agents` in the
repository) and skips what is there already: a version is part of its stamp, so a new pin installs anew. Needs `npm`
(Node 20 or newer) and `uv`, and the registries these are configured for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NPM = {
    # Two versions of one client: their probes, tools, betas and thinking differ.
    "claude-197": "@anthropic-ai/claude-code@2.1.197",
    "claude-330": "@anthropic-ai/claude-code@2.1.330",
    "codex": "@openai/codex@0.169.0",
    "opencode": "opencode-ai@1.18.33",
    "qwen": "@qwen-code/qwen-code@0.15.10",
}
VENVS = {
    "aider": "aider-chat==0.86.2",
    # The major before the one of the dev group: other API version, other credential header.
    "anthropic1": "anthropic<2",
}


def agents_dir() -> Path:
    """Where the agents live."""
    default = Path(__file__).parents[2] / ".agents"
    return Path(os.environ.get("LANEWISE_AGENTS_DIR", default))


def main() -> int:
    """Install what is missing; 0 when all is there."""
    root = agents_dir()
    for name, package in NPM.items():
        # --prefix alone would look for a project further up, hence the folder with a manifest of its own.
        prefix = root / "npm" / name
        arguments = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", package]
        _once(prefix, package, [arguments])
    for name, package in VENVS.items():
        venv = root / name
        python = str(venv / "bin" / "python")
        create = ["uv", "venv", "--quiet", "--python", "3.11", str(venv)]
        _once(venv, package, [create, ["uv", "pip", "install", "--quiet", "--python", python, package]])
    return 0


def _once(folder: Path, package: str, commands: list[list[str]]) -> None:
    stamp = folder / ".installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == package:
        return
    print(f"installing {package}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in commands:
        subprocess.run(command, check=True)
    stamp.write_text(package, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
