"""The error for a word without a vector, which names one that is spelled alike."""

import difflib

SEARCHED = 50_000  # words, the most frequent ones, in a tenth of a second


class UnknownWordError(KeyError):
    """A word has no vector.

    The near spelling is looked for when the message is read: code that asks for many words and
    catches the error pays nothing for it.
    """

    def __init__(self, word, known=()):
        super().__init__(word)
        self.known = known

    def __str__(self):
        """Return the message, without the quotes that KeyError puts around it."""
        (word,) = self.args
        near = self._near(word) if isinstance(word, str) else None
        hint = f" Did you mean {near!r}?" if near else ""
        return f"{word!r} has no vector.{hint}"

    def _near(self, word):
        words = [key for key in self.known[:SEARCHED] if isinstance(key, str)]
        by_lower = {key.lower(): key for key in reversed(words)}  # of several the most frequent
        return by_lower.get(next(iter(difflib.get_close_matches(word.lower(), by_lower, 1)), None))
