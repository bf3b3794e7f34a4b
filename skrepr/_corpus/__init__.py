"""How documents reach a network of words: read in one pass, numbered, cut into blocks.

Training and the questions asked of a fitted model see numbers of words only. A ``Sentences``
object has the protocol of ``_rows``; its rows are documents, of which very long ones count as
several.

``_documents.py``
    From X as it is given to lists of tokens: text, lists, tables, files and iterators.
``_vocabulary.py``
    Words and their numbers, from one pass over the documents.
``_subwords.py``
    Parts of words: character n-grams.
``_sentences.py``
    The encoded corpus in memory or in a file, as rows to train on.
``_blocks.py``
    Sub-sampling, windows and negatives: from sentences to the batches that are trained on.
"""

from ._blocks import Blocks, Sampling
from ._documents import (
    Documents,
    as_known_kind,
    is_table,
    make_analyzer,
    open_documents,
    read_table,
)
from ._sentences import Bags, Sentences, read_bags, read_sentences
from ._subwords import Subwords
from ._vocabulary import Vocabulary, as_word

__all__ = [
    "Bags",
    "Blocks",
    "Documents",
    "Sampling",
    "Sentences",
    "Subwords",
    "Vocabulary",
    "as_known_kind",
    "as_word",
    "is_table",
    "make_analyzer",
    "open_documents",
    "read_bags",
    "read_sentences",
    "read_table",
]
