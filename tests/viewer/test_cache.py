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
    assert cache.find(HERE, 7, 3) is seven
    assert cache.find(HERE, 7, 4) is None and cache.find(HERE, 8, 3) is None and cache.find(THERE, 7, 3) is None
    assert (cache.hits, cache.misses) == (1, 3)
    cache.remember(HERE, newer := block(7, 4))
    assert cache.find(HERE, 7, 4) is newer and cache.find(HERE, 7, 3) is None


def test_it_does_not_grow_without_end():
    cache = ObjectCache(max_regions=2, max_objects=3)
    for region in (HERE, THERE, UUID(int=3)):
        for local_id in range(5):
            cache.remember(region, block(local_id, 1))
    assert not cache.holds(HERE) and cache.holds(THERE)
    assert [cache.find(THERE, n, 1) is not None for n in range(5)] == [True, True, True, False, False]
    cache.remember(THERE, fresh := block(2, 9))
    assert cache.find(THERE, 2, 9) is fresh
