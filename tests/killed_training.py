"""A training that is killed in the middle of its second epoch, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, signal
from rerankllm import train
from rerankllm.training.measured import Measured

measure, asked = Measured.quality, []

def killed(self, student):
    asked.append(1)
    if len(asked) == 3:  # before the first epoch, after it, and now after the second, which has no checkpoint yet
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(self, student)

Measured.quality = killed
train({config!r}, {output!r})
"""


def train_and_kill(config, output):
    """Starts it, waits until it has killed itself, and leaves a checkpoint in `output`."""
    file = output.with_suffix(".yaml")
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    code = SCRIPT.format(config=str(file), output=str(output))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(output.glob("checkpoints/checkpoint-*"))
