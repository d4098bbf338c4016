"""Which file each training sample shows, as a function of the sample's number alone.

An epoch is a permutation keyed by (seed, epoch), evaluated at one place at a time: nothing is
stored, whatever the number of files, and any sample can be the first.
"""

import numpy as np
import tensorflow as tf


class Shuffled:
    """Every file once an epoch, in random order.

    Calling it with a sample's number, an int64 scalar tensor, gives (epoch, file index), int64.

    Args:
        size: how many files there are.
        seed: integer that the order depends on.
    """

    group_size = 1

    def __init__(self, size, seed):
        self.size, self.seed = size, seed

    def __call__(self, number):
        epoch = number // self.size
        return epoch, permuted(number % self.size, self.size, epoch_key(self.seed, epoch))


class Grouped:
    """Files in groups of one kind, such as landscape or portrait images.

    An epoch shuffles the files of each kind, cuts them into groups of `group_size`, and shows the
    groups of all kinds in random order. A kind's last group is filled up with the first files of
    its epoch, so every file comes at least once. Sample n is member n % group_size of its group.

    Calling it works like `Shuffled`.

    Args:
        kinds: a list of arrays of file indices; empty ones are left out.
        group_size: files in a group.
        seed: integer that the order depends on.
    """

    def __init__(self, kinds, group_size, seed):
        kinds = [np.asarray(kind, np.int64) for kind in kinds if len(kind)]
        self.group_size, self.seed = group_size, seed
        self.lengths = np.array([len(kind) for kind in kinds], np.int64)
        self.groups = -(-self.lengths // group_size)
        self.files = np.concatenate(kinds)

    def group(self, number):
        """The group of a sample.

        Returns:
            epoch; the group's place among those of its epoch; its files, int64 [group_size].
        """
        group, count = number // self.group_size, int(self.groups.sum())
        epoch = group // count
        key = epoch_key(self.seed, epoch)
        place = permuted(group % count, count, key)
        ends = np.cumsum(self.groups)
        kind = tf.searchsorted(ends, place[None], side="right", out_type=tf.int64)[0]
        length = tf.gather(self.lengths, kind)
        first = (place - tf.gather(ends - self.groups, kind)) * self.group_size
        places = (first + tf.range(self.group_size, dtype=tf.int64)) % length
        # Numbers below zero: the keys of files have the others.
        places = permuted(places, length, fold(key, -1 - kind))
        offset = tf.gather(np.cumsum(self.lengths) - self.lengths, kind)
        return epoch, place, tf.gather(self.files, offset + places)

    def __call__(self, number):
        epoch, _, files = self.group(number)
        return epoch, files[number % self.group_size]


def epoch_key(seed, epoch):
    """int64 [2]: what all randomness of an epoch derives from."""
    return fold(tf.constant([int(seed) % 2**32, (int(seed) >> 32) % 2**32], tf.int64), epoch)


def fold(key, number):
    """int64 [2]: a key of its own for each `key` and `number`."""
    return tf.random.experimental.stateless_fold_in(key, number, alg="philox")


def permuted(place, size, key):
    """Where a random permutation of 0..size-1 takes `place`: int64, of any shape up to a vector."""
    # `tf.random.experimental.index_shuffle` is this op with 4 rounds and the key as it comes. Then
    # orders with long runs of neighbours are common, and the low bits of seed and epoch are all
    # that counts: 256 epochs and they repeat. A hashed key and 16 rounds pass for random.
    key = tf.random.stateless_uniform(
        [3], key, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    return tf.raw_ops.RandomIndexShuffle(
        index=place, seed=key, max_index=tf.cast(size, tf.int64) - 1, rounds=16
    )
