"""The two ways in which a question cannot be answered. Each is one line: what is wrong, and where."""


class UsageError(Exception):
    """The question is wrong: a bad option, config, data or file. Exit code 2."""


class EnvironmentUnfit(Exception):  # noqa: N818 - it names a state of the machine, not of the program
    """The environment cannot answer: torch is missing or unsupported. Exit code 3."""
