"""Words with their vectors: what to ask of them, and the file format that gensim shares.

Names, defaults and answers are those of gensim's ``KeyedVectors``, so that who knows one knows
the other. What differs:

- Unknown words raise an error that names the nearest spelling; gensim skips them here and there.
- A list or an array means several words, anything else is one: tuples and integers are words
  like others, never row numbers.
"""

from ._vectors import WordVectors

__all__ = ["WordVectors"]
