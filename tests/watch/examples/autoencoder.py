"""A convolutional autoencoder with group norm, on blurred stripes: `python autoencoder.py [STEPS]`."""

import sys

import torch
import torch.nn.functional as F
from torch import nn

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 40


class Autoencoder(nn.Module):
    def __init__(self, code=6):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.GroupNorm(4, 8),
            nn.SiLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.GroupNorm(2, 8),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(8 * 3 * 3, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 8 * 3 * 3),
            nn.Unflatten(1, (8, 3, 3)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.GroupNorm(4, 8),
            nn.ELU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def stripes(n):
    angle, phase = torch.rand(2, n, 1, 1) * 3.14159
    x = torch.arange(-6, 6) / 2
    waves = torch.sin(torch.cos(angle) * x + torch.sin(angle) * x[:, None] + phase)
    return torch.sigmoid(4 * waves).unsqueeze(1)


torch.manual_seed(0)
model = Autoencoder()
optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)

for _step in range(STEPS):
    x = stripes(8)
    out = model(x)
    loss = F.smooth_l1_loss(out, x) + 1e-3 * sum(p.pow(2).sum() for p in model.parameters())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
print(f"loss {loss.item():.4f}")
