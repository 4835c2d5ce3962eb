"""What a viewer remembers of regions from one session to the next."""

from uuid import UUID, uuid4

from viewer import ObjectCache

HERE, THERE = UUID(int=1), UUID(int=2)


def block(local_id, crc):
    return {"ID": local_id, "CRC": crc, "FullID": uuid4()}


def test_only_the_same_version_of_the_same_generation_counts():
    cache = ObjectCache()
    seven = block(7, 3)
    cache.remember(HERE, seven)
    assert cache.holds(HERE) and not cache.holds(THERE)
    assert cache.find(HERE, 7, 3) == seven
    assert cache.find(HERE, 7, 4) is None and cache.find(HERE, 8, 3) is None and cache.find(THERE, 7, 3) is None
    assert (cache.hits, cache.misses) == (1, 3)
    cache.remember(HERE, newer := block(7, 4))
    assert cache.find(HERE, 7, 4) == newer and cache.find(HERE, 7, 3) is None


def test_it_does_not_grow_without_end():
    cache = ObjectCache(max_regions=2, max_objects=3)
    for region in (HERE, THERE, UUID(int=3)):
        for local_id in range(5):
            cache.remember(region, block(local_id, 1))
    assert not cache.holds(HERE) and cache.holds(THERE)
    assert [cache.find(THERE, n, 1) is not None for n in range(5)] == [True, True, True, False, False]
    cache.remember(THERE, fresh := block(2, 9))
    assert cache.find(THERE, 2, 9) == fresh


def test_hostile_sizes_do_not_grow_it():
    """A region that describes objects as large as a datagram, always new ones, and always in another version."""
    cache, large = ObjectCache(max_regions=4, max_bytes=1_000_000), bytes(60_000)
    for version in range(3):
        for region in (HERE, THERE):
            for local_id in range(12):
                cache.remember(region, {**block(local_id, version), "Text": large})
                assert cache.bytes <= 1_000_000 + 61_000
    assert cache.bytes == 0 or len(cache) > 0
    for local_id in range(1000):
        cache.remember(HERE, {**block(local_id, 1), "Text": large})
    assert len(cache) < 20 and cache.bytes <= 1_000_000
    found = cache.find(HERE, 3, 1)
    assert found is not None and found["Text"] == large


def test_what_is_remembered_is_nobodys_to_change():
    cache = ObjectCache()
    cache.remember(HERE, block(7, 3))
    first, again = cache.find(HERE, 7, 3), cache.find(HERE, 7, 3)
    assert first == again and first is not again
