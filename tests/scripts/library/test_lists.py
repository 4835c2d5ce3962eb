"""Lists: what the wiki says of each function, and what holds for all lists."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sim.scripts.language.values import Key, Rotation, Vector, type_of
from tests.scripts.bench import evaluate, occurrences
from tests.scripts.library.stand_in import StandIn, call

items = st.one_of(
    st.integers(-5, 5), st.floats(width=32), st.text("ab", max_size=2), st.text("ab", max_size=2).map(Key),
    st.tuples(*[st.integers(-2, 2).map(float)] * 3).map(lambda parts: Vector(*parts)),
    st.tuples(*[st.integers(-2, 2).map(float)] * 4).map(lambda parts: Rotation(*parts)),
)  # fmt: skip
lists = st.lists(items, max_size=12)
indices = st.integers(-15, 15)


def csv(*expressions: str) -> list[str]:
    return evaluate(*[f"llList2CSV({one})" for one in expressions])


def test_parts():
    assert csv(
        "llList2List([1,2,3,4,5], 1, 2)", "llList2List([1,2,3], -2, -1)", "llList2List([1,2,3,4], 3, 0)",
        "llList2List([1,2,3], 5, 9)", "llList2List([], 0, -1)",
        "llDeleteSubList([1,2,3,4,5], 1, 2)", "llDeleteSubList([1,2,3], -2, -1)", "llDeleteSubList([1,2,3,4], 3, 0)",
        "llDeleteSubList([1,2,3], 5, 9)",
    ) == ["2, 3", "2, 3", "1, 4", "", "", "1, 4, 5", "1", "2, 3", "1, 2, 3"]  # fmt: skip


def test_insert_and_replace():
    assert csv(
        'llListInsertList([1,2,3], ["a"], 1)', 'llListInsertList([1,2,3], ["a"], -1)', 'llListInsertList([1,2], ["a"], 9)',
        'llListInsertList([1,2], ["a"], -9)', "llListInsertList([], [], 0)",
        'llListReplaceList(["a","b","e","d"], ["c"], 2, 2)', 'llListReplaceList([1,2,3,4], ["x"], 1, 2)',
        'llListReplaceList([1,2,3,4], ["x","y"], -1, -1)', 'llListReplaceList([1,2], ["x"], 5, 5)',
        'llListReplaceList([0,1,2,3,4], ["x"], 3, 1)', "llListReplaceList([1,2,3], [], 0, -1)",
    ) == [
        "1, a, 2, 3", "1, 2, a, 3", "1, 2, a", "a, 1, 2", "", "a, b, c, d", "1, x, 4", "1, 2, 3, x, y", "1, 2, x", "2, x", "",
    ]  # fmt: skip


def test_lengths_and_types():
    mixed = '[1, 1.0, "s", (key)"k", <1,2,3>, <0,0,0,1>]'
    assert evaluate(*[f"llGetListEntryType({mixed}, {index})" for index in range(-1, 7)], f"llGetListLength({mixed})") == [
        "6", "1", "2", "3", "4", "5", "6", "0", "6",
    ]  # fmt: skip


def test_strides():
    numbers = "[0,1,2,3,4,5,6]"
    assert csv(
        f"llList2ListStrided({numbers}, 0, -1, 2)", f"llList2ListStrided({numbers}, 1, -1, 2)",
        f"llList2ListStrided({numbers}, 2, -1, 2)", f"llList2ListStrided({numbers}, 0, 2, 0)",
        f"llList2ListStrided({numbers}, 5, 1, 3)", f"llList2ListStrided({numbers}, 9, 12, 2)",
        f"llList2ListSlice({numbers}, 0, -1, 3, 0)", f"llList2ListSlice({numbers}, 0, -1, 3, 1)",
        f"llList2ListSlice({numbers}, 1, -1, 3, 1)", f"llList2ListSlice({numbers}, 2, -1, 3, -1)",
        f"llList2ListSlice({numbers}, 0, -1, 3, 3)", f"llList2ListSlice({numbers}, 0, -1, -4, 0)",
    ) == [
        "0, 2, 4, 6", "2, 4, 6", "2, 4, 6", "0, 1, 2", "0, 3, 6", "", "0, 3, 6", "1, 4", "2, 5", "4", "", "0, 1, 2, 3, 4, 5, 6",
    ]  # fmt: skip


def test_finding_minds_types():
    assert evaluate(
        'llListFindList(["a",1,"b"], [1,"b"])', 'llListFindList([1,2,3], ["2"])', "llListFindList([1,2,3], [2.0])",
        'llListFindList([(key)"k"], ["k"])', 'llListFindList([(key)"k"], [(key)"k"])', "llListFindList([1], [])",
        "llListFindList([], [])", "llListFindList([], [1])", "llListFindList([<1,2,3>,<1,2,4>], [<1,2,4>])",
        "llListFindList([1,1,2], [1,2])", "llListFindList([1,2], [1,2,3])",
    ) == ["1", "-1", "-1", "-1", "0", "0", "0", "-1", "1", "1", "-1"]  # fmt: skip


def test_finding_the_nth():
    names = '["Resident","Alexia","Resident","Bob","Resident","Steve","Resident","Evil"]'
    found = [f'llListFindListNext({names}, ["Resident"], {index})' for index in (0, 1, 3, 4, -1, -2, -4, -5)]
    assert evaluate(*found, "llListFindListNext([1,1,1], [1,1], 1)", "llListFindListNext([], [], 0)") == [
        "0", "2", "6", "-1", "6", "4", "0", "-1", "1", "0",
    ]  # fmt: skip


def test_finding_at_strides():
    values = '["a",0,"b",1,"c",2,"b",1]'
    assert evaluate(
        f'llListFindStrided({values}, ["b"], 0, -1, 1)', f'llListFindStrided({values}, ["b",1], 2, -1, 1)',
        f'llListFindStrided({values}, ["b"], 3, -1, 1)', f'llListFindStrided({values}, ["b"], 1, -1, 2)',
        f"llListFindStrided({values}, [1], 1, -1, 2)", f'llListFindStrided({values}, ["b",1], 0, 2, 2)',
        f"llListFindStrided({values}, [], 3, -1, 2)", f'llListFindStrided({values}, ["z"], 0, 99, 0)',
    ) == ["2", "2", "6", "-1", "3", "-1", "0", "-1"]  # fmt: skip


def test_sorting():
    assert csv(
        'llListSort(["a", "á", "B", "C", "d", "e"], 1, TRUE)', 'llListSort([1, "C", 3, "A", 2, "B"], 1, TRUE)',
        'llListSort([1, 3, 2, "C", "A", "B"], 1, TRUE)', 'llListSort([1, "C", 3, "A", 2, "B"], 2, TRUE)',
        'llListSort(["127", "3", "25"], 1, TRUE)', "llListSort([1, 3, 5, 2.0, 4.0, 6.0], 1, TRUE)",
        "llListSort([3,1,2], 1, FALSE)", "llListSort([3,1,2], 1, 2)", "llListSort([3,1,2], 2, TRUE)",
        "llListSort([3,1,2], 0, TRUE)", "llListSort([<0,0,9>,<1,0,0>,<0,-5,0>], 1, TRUE)", "llListSort([], 1, TRUE)",
        'llListSortStrided([1, "C", 3, "A", 2, "B"], 2, 1, TRUE)', 'llListSortStrided([1, "C", 3, "A"], 2, -1, TRUE)',
        "llListSortStrided([2, 1], 1, 1, TRUE)",
    ) == [
        "B, C, a, d, e, á", "1, A, 2, B, 3, C", "1, 2, 3, A, B, C", "1, C, 2, B, 3, A", "127, 25, 3",
        "1, 3, 5, 2.000000, 4.000000, 6.000000", "3, 2, 1", "3, 2, 1", "3, 1, 2", "1, 2, 3",
        "<1.000000, 0.000000, 0.000000>, <0.000000, -5.000000, 0.000000>, <0.000000, 0.000000, 9.000000>", "",
        "3, A, 2, B, 1, C", "3, A, 1, C", "2, 1",
    ]  # fmt: skip


def test_statistics():
    numbers = '[-1, 3.33, 17, "object", -4.5, 0.8675]'
    results = evaluate(*[f"llListStatistics({operation}, {numbers})" for operation in range(11)])
    assert results == [
        "21.500000", "-4.500000", "17.000000", "3.139500", "0.867500", "8.258468", "15.697500", "322.091500", "5.000000",
        "0.000000", "0.000000",
    ]  # fmt: skip
    assert evaluate(
        "llListStatistics(LIST_STAT_GEOMETRIC_MEAN, [1,2,4])", "llListStatistics(LIST_STAT_MEDIAN, [1,2,3,4])",
        "llListStatistics(LIST_STAT_MEAN, [])", "llListStatistics(LIST_STAT_STD_DEV, [5])",
        'llListStatistics(LIST_STAT_MAX, ["9"])',
    ) == ["2.000000", "2.500000", "0.000000", "0.000000", "0.000000"]  # fmt: skip


def test_random_order_keeps_strides_together():
    assert csv("llListSort(llListRandomize([1,10,2,20,3,30,4,40], 2), 2, TRUE)") == ["1, 10, 2, 20, 3, 30, 4, 40"]
    assert csv("llListRandomize([1,2,3], 2)", "llListRandomize([], 1)") == ["1, 2, 3", ""]


def test_a_list_larger_than_memory_is_the_scripts_own_failure():
    source = """default { state_entry() {
        string a = "aaaaaaaaaaaaaaaa"; while (llStringLength(a) < 8000) a += a;
        list b = [a, a, a, a]; b = b + b; b = b + b; b = b + b;
        llOwnerSay((string)llStringLength(llDumpList2String(b, ""))); } }"""
    (error,) = occurrences(source)
    assert error["message"] == "Stack-Heap Collision"


@given(lists, indices, indices, lists)
def test_parts_make_the_whole(values, start, end, other):
    got, left = call("llList2List", values, start, end), call("llDeleteSubList", values, start, end)
    assert len(got) + len(left) == len(values)
    replaced = call("llListReplaceList", values, other, start, end)
    assert len(replaced) == len(left) + len(other)
    inserted = call("llListInsertList", values, other, start)
    assert len(inserted) == len(values) + len(other)


@given(st.integers(0, 12), indices, indices, st.integers(-1, 4))
def test_strided_items_lie_in_the_range_at_multiples(length, start, end, stride):
    first, last = (index + length if index < 0 else index for index in (start, end))
    if first > last:
        first, last = 0, length - 1
    wanted = [index for index in range(length) if first <= index <= last and index % max(stride, 1) == 0]
    assert call("llList2ListStrided", list(range(length)), start, end, stride) == wanted


@given(lists, st.integers(-1, 4), st.integers(-5, 5), st.integers(0, 2))
def test_sorting_rearranges_whole_strides(values, stride, index, ascending):
    result = call("llListSortStrided", values, stride, index, ascending)
    step = max(stride, 1)
    if len(values) % step:
        assert result is values
        return
    blocks = [tuple(map(id, values[at : at + step])) for at in range(0, len(values), step)]
    assert sorted([tuple(map(id, result[at : at + step])) for at in range(0, len(result), step)]) == sorted(blocks)
    if not -step <= index < step:
        assert list(map(id, result)) == list(map(id, values))
        return
    index %= step
    kinds = [type_of(value) for value in values[index::step]]
    assert [type_of(value) for value in result[index::step]] == kinds
    integers = [value for value in result[index::step] if type_of(value) == "integer"]
    assert integers == sorted(integers, reverse=ascending != 1)


@given(lists, lists, indices)
def test_finding_is_a_plain_search(values, test, instance):
    def same(a, b):
        return type_of(a) == type_of(b) and a == b and a is not math.nan

    places = [
        place for place in range(len(values) - len(test) + 1)
        if all(same(values[place + offset], test[offset]) for offset in range(len(test)))
    ]  # fmt: skip
    if any(value != value for value in test if isinstance(value, float)):
        return  # a NaN is equal to itself in Python's dict when it is the same object, which a page never gives
    assert call("llListFindList", values, test) == (places[0] if places else -1)
    if test:
        wanted = places[instance] if -len(places) <= instance < len(places) else -1
        assert call("llListFindListNext", values, test, instance) == wanted


def test_long_lists_are_searched_and_sorted_in_bounded_time():
    script = StandIn()
    same = [1] * 8000
    assert call("llListFindList", same, [1] * 4000 + [2], script=script) == -1
    assert call("llListFindListNext", same, [1] * 4000, -1, script=script) == 4000
    assert call("llListSort", list(range(8000, 0, -1)), 1, 1, script=script) == list(range(1, 8001))
    assert script.spent > 8000
