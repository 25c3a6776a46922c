"""`OptionError`: a refused option, with its facts apart from its words."""

from __future__ import annotations

ONE_OF = "{name}: {option} is one of {known}"
TRUTH = "{name}: {option} is true or false"
NUMBER = "{name}: {option} is a number"
NOT = ", not {value}"


class OptionError(ValueError):
    """An option or a size that has no meaning here: a text, and the facts that are inserted in it.

    ``str(OptionError("{name} takes no {option}", name="sgd", option="'x'")) == "sgd takes no 'x'"``.
    Text and facts are kept apart, so that it can be said in another language.
    """

    def __init__(self, text: str, /, **facts: object) -> None:
        super().__init__(text.format(**facts))
        self.text, self.facts = text, facts
