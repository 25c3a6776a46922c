"""`parity watch` under torchrun: each rank's result in a file of its own, the joined one shown once."""

import json
import subprocess
import sys

SCRIPT = """
import torch
from torch import distributed, nn

distributed.init_process_group("gloo")
rank = distributed.get_rank()
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
torch.manual_seed(rank)
for _ in range(2):
    optimizer.zero_grad()
    nn.functional.mse_loss(net(torch.randn(6, 5)), torch.randn(6, 3)).backward()
    for one in net.parameters():
        distributed.all_reduce(one.grad)
    optimizer.step()
distributed.destroy_process_group()
"""


def test_two_ranks_launched(tmp_path):
    script, result = tmp_path / "train.py", tmp_path / "result.json"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launcher, "-m", "parity", "watch", "--json", str(result), str(script)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1
    assert ran.stdout.count("MISMATCH: an operation is not its formula.") == 1
    assert "likely mistake: the gradients of 2 ranks were added and not divided" in ran.stdout
    assert "Rank 1: match, 2 steps" in ran.stdout
    found = json.loads(result.read_text())
    assert found["verdict"] == "mismatch"
    first = found["first_divergence"]
    assert (first["operation"], first["check"], first["operand"]) == ("average", "grad", "weight")
    assert first["module"] == "Sequential.0"
    assert first["diagnosis"]["mistake"] == "sum"
    other = json.loads((tmp_path / "result.rank1.json").read_text())
    assert (other["verdict"], other["steps"], other["ranks"]) == ("match", 2, [])
