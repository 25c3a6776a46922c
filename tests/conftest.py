"""One thread each, before numpy is imported, and hypothesis without clocks."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import HealthCheck, settings  # noqa: E402 - after the threads are set

settings.register_profile(
    "parity",
    deadline=None,  # machines are shared and noisy
    derandomize=bool(os.environ.get("CI")),  # CI draws the same networks every time; people draw new ones
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("parity")
