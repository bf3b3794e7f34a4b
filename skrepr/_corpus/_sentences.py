"""The encoded corpus: where its words live, and how batches of them are drawn."""

import copy
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ._blocks import Pass
from ._vocabulary import Numbering, Vocabulary, encode

# Words of one chunk: of those that are prepared together for training, and of those of which
# a fitted model is asked.
_CHUNK_WORDS, _BAG_WORDS = 2**18, 2**16
# Tokens that are counted together: the counts of all kinds of token are gone through each time.
_COUNTED = 2**22
# A longer document is cut into pieces of so many words, so that a chunk stays small.
_LONGEST = 10_000


class _InMemory:
    """Numbers of tokens in one array."""

    def __init__(self):
        self._parts = []

    def append(self, numbers):
        self._parts.append(numbers)

    def __getitem__(self, bounds):
        if len(self._parts) != 1:
            self._parts = [np.concatenate(self._parts or [np.empty(0, np.int32)])]
        return self._parts[0][bounds]


class _InFile:
    """Numbers of tokens in a file without a name, which ends with this object."""

    def __init__(self):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def append(self, numbers):
        self._file.seek(0, 2)
        self._file.write(numbers.tobytes())

    def __del__(self):
        self._file.close()

    def __getitem__(self, bounds):
        # read, not mapped: mapped pages count as memory of the process
        self._file.seek(4 * bounds.start)
        return np.frombuffer(self._file.read(4 * (bounds.stop - bounds.start)), dtype=np.int32)


@dataclass(frozen=True)
class Bags:
    """The words of some documents, one after the other.

    Parameters
    ----------
    words : torch.Tensor of shape (n_words,), int64
    starts : torch.Tensor of shape (n_documents,), int64
        Where each document begins.
    unknown : torch.Tensor of shape (n_unknown, n_components) or None, default=None
        Vectors of words that are not in the vocabulary, and have the numbers behind it.
    """

    words: torch.Tensor
    starts: torch.Tensor
    unknown: torch.Tensor | None = None

    def __len__(self):
        return len(self.starts)

    def to(self, device):
        """Return the same on a device."""
        unknown = None if self.unknown is None else self.unknown.to(device)
        return Bags(self.words.to(device), self.starts.to(device), unknown)

    @property
    def lengths(self):
        """Number of words of each document."""
        return torch.diff(self.starts, append=self.starts.new_tensor([len(self.words)]))

    @property
    def documents(self):
        """The document of each word."""
        return torch.arange(len(self), device=self.words.device).repeat_interleave(self.lengths)

    @classmethod
    def of(cls, numbers, lengths):
        """Make bags of the numbers of tokens, of which -1 is no word."""
        is_word = numbers >= 0
        ends = np.cumsum(lengths)
        kept = np.concatenate([[0], np.cumsum(is_word)])
        return cls(
            torch.from_numpy(numbers[is_word].astype(np.int64)),
            torch.from_numpy(kept[ends - lengths].astype(np.int64)),
        )


class Sentences:
    """The documents of a corpus as rows to train on.

    Parameters
    ----------
    tokens : _InMemory or _InFile
        Their numbers, in order.
    bounds : ndarray of shape (n_documents + 1,), int64
        Where documents begin and end among the tokens.
    number_of_word : ndarray of shape (n_tokens,), int32
        The word that a token is; -1: none.
    vocabulary : Vocabulary
    sampling : Sampling
    device : torch.device
    surroundings : callable
        Makes the context in which a thread of its own prepares batches.
    """

    def __init__(self, tokens, bounds, number_of_word, vocabulary, sampling, device, surroundings):
        self.tokens = tokens
        self.bounds = bounds
        self.number_of_word = number_of_word
        self.vocabulary = vocabulary
        self.sampling = sampling
        self.device = device
        self.surroundings = surroundings
        self.index = np.arange(len(bounds) - 1)

    def __len__(self):
        return len(self.index)

    @property
    def n_words(self):
        """Number of words in all documents, those of no vector included."""
        return int((self.bounds[self.index + 1] - self.bounds[self.index]).sum())

    @property
    def has_pairs(self):
        """Whether any document has two words."""
        return any(bool((bags.lengths > 1).any()) for bags in self.blocks())

    @property
    def sample_shape(self):
        """What stands for the shape of a sample: the number of words."""
        return (self.sampling.n_words,)

    def subset(self, index):
        """Return the documents at the positions ``index``, without copying them."""
        some = copy.copy(self)
        some.index = self.index[np.asarray(index, dtype=np.int64)]
        return some

    def spread(self, n_rows):
        """Return at most ``n_rows`` of the documents, evenly spread, without copying them."""
        return self.subset(np.linspace(0, len(self) - 1, min(n_rows, len(self))))

    def split(self, n_held_out, generator):
        """Split at random into documents to train on and documents held out."""
        order = torch.randperm(len(self), generator=generator)
        held_out, train = order[:n_held_out].sort().values, order[n_held_out:].sort().values
        return self.subset(train), self.subset(held_out)

    def sample(self, n_rows):
        """Return at most ``n_rows`` of the documents, evenly spread."""
        blocks = list(self.spread(n_rows).blocks())
        starts = np.cumsum([0, *(len(block.words) for block in blocks[:-1])])
        return Bags(
            torch.cat([block.words for block in blocks]),
            torch.cat([block.starts + int(start) for block, start in zip(blocks, starts)]),
        )

    def blocks(self):
        """Yield the words of all documents in order, some at a time."""
        for start, stop in self._chunks(_BAG_WORDS):
            yield Bags.of(*self._read(start, stop)).to(self.device)

    def batches(self, batch_size, generator=None, smallest=1):
        """Return an iterable over batches of about ``batch_size`` words.

        Without a generator all draws are the same in each pass.
        """
        return _Batches(self, batch_size, generator)

    def _chunks(self, n_words):
        """List (start, stop) of documents with about ``n_words`` words together."""
        return _runs(self.bounds[self.index + 1] - self.bounds[self.index], n_words)

    def _read(self, start, stop):
        """Return the numbers of the words of some documents, -1 for none, and their lengths."""
        index = self.index[start:stop]
        starts, stops = self.bounds[index], self.bounds[index + 1]
        # one reading for documents that follow each other, and none of what lies between others
        first = np.flatnonzero(np.diff(index, prepend=-2) != 1)
        last = np.append(first[1:], len(index)) - 1
        parts = [self.tokens[a:b] for a, b in zip(starts[first], stops[last])]
        return self.number_of_word[np.concatenate(parts)], stops - starts


class _Batches:
    """The batches of one corpus, anew in each pass."""

    def __init__(self, sentences, batch_size, generator):
        self._sentences = sentences
        self._generator = generator
        self._chunks = sentences._chunks(_CHUNK_WORDS)
        bounds, index = sentences.bounds, sentences.index
        n_words = [
            int((bounds[index[a:b] + 1] - bounds[index[a:b]]).sum()) for a, b in self._chunks
        ]
        # tokens that are no words count too: how many there are is known to a reader alone
        self._n_batches = [max(1, round(n / batch_size)) for n in n_words]
        self.sizes = [n // k for n, k in zip(n_words, self._n_batches) for _ in range(k)]

    def __len__(self):
        return len(self.sizes)

    def __iter__(self):
        generator = self._generator or torch.Generator().manual_seed(0)
        order = list(range(len(self._chunks)))
        if self._generator is not None:
            order = torch.randperm(len(order), generator=generator).tolist()
        one_pass = Pass(self._sentences.sampling, generator)

        def prepare(i):
            with self._sentences.surroundings():
                bags = Bags.of(*self._sentences._read(*self._chunks[i]))
                blocks = one_pass.blocks(bags.words, bags.lengths)
                return blocks.to(self._sentences.device).split(self._n_batches[i])

        # each chunk is prepared while the one before is trained on, one at a time and in order
        with ThreadPoolExecutor(1) as worker:
            upcoming = worker.submit(prepare, order[0])
            for i in [*order[1:], None]:
                batches = upcoming.result()
                if i is not None:
                    upcoming = worker.submit(prepare, i)
                yield from batches


def read_sentences(
    documents, analyze, device, *, known, min_count, max_words, make_sampling, surroundings
):
    """Read documents in one pass: number their tokens, and choose words among these.

    Documents whose number is not known beforehand are kept in a file.

    Parameters
    ----------
    documents : Documents
    analyze : callable
    device : torch.device
    known : Vocabulary or None
        Of an earlier training that goes on.
    min_count : int
    max_words : int or None
    make_sampling : callable
        Makes a `Sampling` of the counts of words and the length of the longest document.
    surroundings : callable
        Makes the context in which a thread of its own prepares batches.

    Returns
    -------
    sentences : Sentences
    """
    tokens = _InMemory() if documents.n is not None else _InFile()
    numbering = Numbering(() if known is None else known.words)
    all_lengths = []
    for numbers, lengths in numbering.encode(documents.each, analyze):
        tokens.append(numbers)
        if (lengths > _LONGEST).any():
            lengths = np.concatenate([_pieces(length) for length in lengths])
        all_lengths.append(lengths)
    if not all_lengths:
        raise ValueError("Found X with 0 documents, while a minimum of 1 is required.")
    bounds = np.concatenate([[0], np.cumsum(np.concatenate(all_lengths))])
    counts = np.zeros(len(numbering.numbers), dtype=np.int64)
    for start in range(0, bounds[-1], _COUNTED):
        part = tokens[start : min(start + _COUNTED, bounds[-1])]
        counts += np.bincount(part, minlength=len(counts))
    vocabulary, number_of_word = Vocabulary.of(
        numbering, counts, known=known, min_count=min_count, max_words=max_words
    )
    sampling = make_sampling(vocabulary.counts, int(np.diff(bounds).max(initial=0)))
    return Sentences(tokens, bounds, number_of_word, vocabulary, sampling, device, surroundings)


def _pieces(length):
    n_whole, rest = divmod(int(length), _LONGEST)
    return [_LONGEST] * n_whole + ([rest] if rest or not n_whole else [])


def read_bags(documents, analyze, number_of):
    """Encode documents for a fitted model: their number, and bags of some at a time.

    Parameters
    ----------
    documents : Documents
    analyze : callable
    number_of : callable
        The number of a word, -1 for an unknown one.
    """
    bags = []
    for numbers, lengths in encode(documents.each, analyze, number_of):
        ends = np.cumsum(lengths)
        for start, stop in _runs(lengths, _BAG_WORDS):
            first, last = ends[start] - lengths[start], ends[stop - 1]
            bags.append(Bags.of(numbers[first:last], lengths[start:stop]))
    if not bags:
        raise ValueError("Found X with 0 documents, while a minimum of 1 is required.")
    return sum(map(len, bags)), bags


def _runs(lengths, n_words):
    """Cut documents of these lengths into runs of about ``n_words`` words: (start, stop)."""
    part = (np.cumsum(lengths) - 1) // n_words
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(lengths)]
    return list(pairwise(cuts))
