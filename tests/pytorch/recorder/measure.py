"""Time and memory of recording, against the plain step: `python -m tests.pytorch.recorder.measure`.

Times are of the processor, since machines are shared; the median of ten steps. Every mode runs in a
process of its own, so that its peak of resident memory is its own; bytes are what the training adds
to the process after the model is made.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import time

import torch
from torch import nn

from parity.pytorch.recorder.recorder import Recorder
from tests.pytorch.recorder.models import SmallGPT, batch, classes, real, tokens, whole

STEPS = 12


def cnn():
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    return net, batch(real(32, 1, 28, 28), whole(10, 32)), classes


def gpt():
    return SmallGPT(256, 256, 4, 4, 128), batch(whole(256, 4, 128), whole(256, 4, 128)), tokens


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(size, mode):
    torch.manual_seed(0)
    net, make_batch, loss = {"cnn": cnn, "gpt": gpt}[size]()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    before, times = peak(), []
    options = {"on_step": lambda step: None}
    if mode == "streamed":
        options |= {"on_call": lambda call: None, "on_node": lambda backward, node: None, "keep": False}
    if mode == "unwanted":
        options |= {"wanted": lambda step: False}
    with contextlib.nullcontext() if mode == "plain" else Recorder(net, **options):
        for step in range(STEPS):
            inputs = make_batch(step)
            began = time.process_time()
            optimizer.zero_grad()
            loss(net, *inputs).backward()
            optimizer.step()
            times.append(time.process_time() - began)
    print(f"{1e3 * sorted(times[2:])[len(times[2:]) // 2]:.2f} {peak() - before:.1f}")


def main():
    for size in ("cnn", "gpt"):
        rows = {}
        for mode in ("plain", "recorded", "streamed", "unwanted"):
            run = [sys.executable, "-m", __spec__.name, size, mode]
            said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
            rows[mode] = [float(part) for part in said.split()]
        for mode, (ms, mib) in rows.items():
            ratio = ms / rows["plain"][0], mib / rows["plain"][1]
            print(f"{size} {mode:9} {ms:8.2f} ms (x{ratio[0]:.2f})  {mib:7.1f} MiB (x{ratio[1]:.2f})")


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 1 else main()
