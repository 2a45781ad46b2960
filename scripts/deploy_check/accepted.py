"""What is left out, or stays as it is, each with its reason: accepted.toml."""

import tomllib
from pathlib import Path

ACCEPTED = tomllib.loads(Path(__file__).with_name("accepted.toml").read_text())
