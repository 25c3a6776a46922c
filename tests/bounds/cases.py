"""A case for each rule; a rule that has none fails its test."""

from tests.bounds.array_cases import ARRAYS
from tests.bounds.elementary_cases import ELEMENTARY
from tests.bounds.step_cases import STEPS
from tests.bounds.sum_cases import SUM_RULES

CASES = {**ELEMENTARY, **SUM_RULES, **ARRAYS, **STEPS}
