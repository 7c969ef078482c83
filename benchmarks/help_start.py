"""Time ``survey-tools --help`` against ``python -c pass``, in turn, as the ratio of medians.

Prints the table and writes it to benchmarks/help_start.md.
"""

import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

N_ROUNDS = 15
COMMANDS = {
    "survey-tools --help": [sys.executable, "-m", "survey_tools", "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
}


def main() -> None:
    """Measure, print and write the table."""
    wall_ms: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(N_ROUNDS + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            wall_ms[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(times[1:]) for name, times in wall_ms.items()}
    ratio = medians["survey-tools --help"] / medians["python -c pass"]
    lines = [
        "# Start of the command line",
        "",
        f"Made by `python benchmarks/help_start.py`; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {N_ROUNDS} rounds in turn.",
        "",
        "| command | wall ms, median |",
        "|---|---:|",
        *(f"| `{name}` | {median:.0f} |" for name, median in medians.items()),
        f"| **ratio** (limit 12) | **{ratio:.1f}** |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
