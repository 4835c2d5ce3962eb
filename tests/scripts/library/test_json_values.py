"""JSON: the wiki's tables, the quirks, and what holds for all values."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sim.scripts.language.values import Vector
from sim.scripts.library import json_values
from sim.scripts.library.json_values import APPEND, DELETE, FALSE, INVALID, NULL, TRUE
from tests.scripts.bench import evaluate, occurrences
from tests.scripts.library.stand_in import StandIn, call

NAMES = {
    INVALID: "JSON_INVALID", json_values.OBJECT: "JSON_OBJECT", json_values.ARRAY: "JSON_ARRAY",
    json_values.NUMBER: "JSON_NUMBER", json_values.STRING: "JSON_STRING", NULL: "JSON_NULL", TRUE: "JSON_TRUE",
    FALSE: "JSON_FALSE", DELETE: "JSON_DELETE",
}  # fmt: skip
THINGS = '{"a":1,"b":[1,2.50,"x",true,false,null,{"c":"d"}],"e":"","f":{}}'

scalars = st.one_of(st.integers(-(2**31), 2**31 - 1), st.booleans(), st.none(), st.text("ab\"\\\n/é😀", max_size=5))
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text("abc", max_size=2), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def lsl(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def test_constants_are_the_languages():
    got = evaluate(*NAMES.values())
    assert got == list(NAMES) and evaluate("JSON_APPEND") == [str(APPEND)]


def test_values_and_their_types():
    paths = ["[]", '["a"]', '["b"]', '["b",0]', '["b",1]', '["b",2]', '["b",3]', '["b",4]', '["b",5]', '["b",6,"c"]', '["e"]',
             '["b",7]', '["b",-1]', '["x"]', '["a",0]', '["b","0"]', '[0]', '["b",1.0]']  # fmt: skip
    kinds = evaluate(*[f"llJsonValueType({lsl(THINGS)}, {path})" for path in paths])
    assert [NAMES[kind][5:] for kind in kinds] == (
        "OBJECT NUMBER ARRAY NUMBER NUMBER STRING TRUE FALSE NULL STRING STRING" + " INVALID" * 7
    ).split()
    got = evaluate(*[f"llJsonGetValue({lsl(THINGS)}, {path})" for path in paths])
    assert got == [
        THINGS, "1", '[1,2.50,"x",true,false,null,{"c":"d"}]', "1", "2.50", "x", TRUE, FALSE, NULL, "d", "", *[INVALID] * 7,
    ]  # fmt: skip


def test_what_is_not_json():
    for text in ("", "abc", "[1", "[1,]", '{"a"}', '{"a":}', "{a:1}", "[1]]", '"', "01", "1.", "+1", "nul", "[1 2]", "NaN",
                 '{"a":1,}', '["\\x"]', "Infinity", "[-]"):  # fmt: skip
        assert call("llJsonValueType", text, []) == INVALID, text
        assert call("llJsonGetValue", text, []) == INVALID, text
        assert text == "" or call("llJsonSetValue", text, ["a"], "1") == INVALID, text


def test_from_lists():
    assert evaluate(
        'llList2Json(JSON_OBJECT, ["pi", 3.14, "set", "[1,2,3]", "status", "ok"])',
        'llList2Json(JSON_ARRAY, [0, 3.14, "[1,2,3]", "{}"])',
        'llList2Json(JSON_ARRAY, ["89556747-24cb-43ed-920b-47caed15465f", (key)"k"])',
        'llList2Json(JSON_ARRAY, ["bacon", "true", "false", "null", JSON_TRUE, JSON_FALSE, JSON_NULL])',
        'llList2Json(JSON_ARRAY, ["\\"bacon\\"", "\\"true\\"", " 12 ", "1.5", "[1,", "", "a\\"b\\\\c\\nd"])',
        "llList2Json(JSON_ARRAY, [<1,2,3>, ZERO_ROTATION])", "llList2Json(JSON_ARRAY, [])", "llList2Json(JSON_OBJECT, [])",
        'llList2Json(JSON_OBJECT, ["a"])', 'llList2Json("x", [])', 'llList2Json(JSON_OBJECT, ["a", 1, "a", 2, 3, 4])',
    ) == [
        '{"pi":3.140000,"set":[1,2,3],"status":"ok"}', "[0,3.140000,[1,2,3],{}]",
        '["89556747-24cb-43ed-920b-47caed15465f","k"]', '["bacon",true,false,null,true,false,null]',
        '["bacon","true","12","1.5","[1,","","a\\"b\\\\c\\nd"]',
        '["<1.00000, 2.00000, 3.00000>","<0.00000, 0.00000, 0.00000, 1.00000>"]', "[]", "{}", INVALID, INVALID,
        '{"a":2,"3":4}',
    ]  # fmt: skip


def test_to_lists():
    def kinds(text):
        expression = f"llJson2List({lsl(text)})"
        source = f"""default {{ state_entry() {{ list a = {expression}; integer i;
            for (; i < llGetListLength(a); ++i)
                llOwnerSay((string)llGetListEntryType(a, i) + llList2String(a, i)); }} }}"""
        return [one["text"] for one in occurrences(source)]

    assert kinds('{"pi": 3.14, "set": [1,2, 3], "status": "ok"}') == [
        "3pi", "23.140000", "3set", "3[1,2,3]", "3status", "3ok",
    ]  # fmt: skip
    assert kinds("[0, 3.14, [1,2,3], {}]") == ["10", "23.140000", "3[1,2,3]", "3{}"]
    assert kinds("89556747-24cb-43ed-920b-47caed15465f") == ["389556747-24cb-43ed-920b-47caed15465f"]
    assert kinds("[true,false,null]") == ["3" + TRUE, "3" + FALSE, "3" + NULL]
    assert kinds("12") == ["112"] and kinds("-1e2") == ["2-100.000000"] and kinds('"x"') == ["3x"]
    assert kinds("2147483647") == ["12147483647"] and kinds("-2147483648") == ["1-2147483648"]
    assert kinds("2147483648") == ["22147484000.000000"]
    assert kinds("") == [] and kinds("[]") == [] and kinds("{}") == [] and kinds("[1") == ["3" + INVALID]


def test_setting():
    array = '[9,"<1,1,1>",false,{"A":8,"Z":9}]'
    cases = [
        (array, "[0]", '"7"', '[7,"<1,1,1>",false,{"A":8,"Z":9}]'),
        (array, "[3,\"X\"]", '"10"', '[9,"<1,1,1>",false,{"A":8,"Z":9,"X":10}]'),
        (array, "[4]", '"x"', '[9,"<1,1,1>",false,{"A":8,"Z":9},"x"]'),
        (array, "[JSON_APPEND]", "JSON_NULL", '[9,"<1,1,1>",false,{"A":8,"Z":9},null]'),
        (array, "[5]", '"x"', INVALID),
        (array, "[-2]", '"x"', INVALID),
        (array, "[0,0]", '"x"', '[["x"],"<1,1,1>",false,{"A":8,"Z":9}]'),
        (array, "[0,1]", '"x"', INVALID),
        (array, '["a"]', '"1"', '{"a":1}'),
        (array, "[3]", "JSON_DELETE", '[9,"<1,1,1>",false]'),
        (array, '[3,"A"]', "JSON_DELETE", '[9,"<1,1,1>",false,{"Z":9}]'),
        (array, '[3,"B"]', "JSON_DELETE", INVALID),
        (array, "[9]", "JSON_DELETE", INVALID),
        (array, "[JSON_APPEND]", "JSON_DELETE", INVALID),
        (array, "[]", "JSON_DELETE", INVALID),
        (array, "[]", '"true"', "true"),
        ("", '["a","b"]', '"10"', '{"a":{"b":10}}'),
        ("", '["a",JSON_APPEND,JSON_APPEND]', '"x y"', '{"a":[["x y"]]}'),
        ("", "[0]", '"[1, 2]"', "[[1,2]]"),
        ("", "[1]", '"1"', INVALID),
        ("{}", '["a"]', '"\\"12\\""', '{"a":"12"}'),
        ("{}", '["a"]', '""', '{"a":""}'),
        ("[[1]]", "[0,0]", "JSON_DELETE", "[[]]"),
        ('{"a":null}', '["a","b"]', "JSON_TRUE", '{"a":{"b":true}}'),
        ("[1]", "[1.0]", '"1"', INVALID),
    ]  # fmt: skip
    got = evaluate(*[f"llJsonSetValue({lsl(text)}, {path}, {value})" for text, path, value, _ in cases])
    assert got == [wanted for *_, wanted in cases]


def test_escapes():
    text = '["a\\u00e9\\ud83d\\ude00\\n\\/\\ud800", "tab\there"]'
    assert call("llJson2List", text) == ["aé😀\n/\ud800", "tab\there"]
    assert call("llList2Json", json_values.ARRAY, ["\x01é😀"]) == '["\\u0001é😀"]'
    assert evaluate(f"llJsonGetValue({lsl(text)}, [0])") == ["aé😀\n/?"]


def test_depth_is_bounded():
    for depth, kind in ((200, json_values.ARRAY), (201, INVALID), (30_000, INVALID)):
        text = "[" * depth + "]" * depth
        assert call("llJsonValueType", text, []) == kind
        assert (call("llJsonSetValue", text, [APPEND], "1") == text[:-1] + ",1]") == (kind != INVALID and depth > 1)
        assert (call("llJsonSetValue", "", [0] * depth, "1") == INVALID) == (depth > 200)
    assert call("llJsonValueType", "[" * 60_000, []) == INVALID
    assert call("llJsonValueType", '["' + "[" * 1000 + '\\"{"]', []) == json_values.ARRAY
    assert call("llJsonValueType", "[" + "[]," * 1000 + "[]]", []) == json_values.ARRAY


def test_a_json_text_larger_than_memory_is_the_scripts_own_failure():
    source = """default { state_entry() {
        string a = "aaaaaaaaaaaaaaaa"; while (llStringLength(a) < 8000) a += a;
        list b = [a, a, a, a]; b = b + b; b = b + b; b = b + b;
        llOwnerSay(llList2Json(JSON_ARRAY, b)); } }"""
    (error,) = occurrences(source)
    assert error["message"] == "Stack-Heap Collision"


@given(values)
def test_reading_and_writing_come_back(value):
    script: Any = StandIn()
    written = json_values.write(json_values.parse(script, json.dumps(value)))
    assert json.loads(written) == value
    assert json_values.write(json_values.parse(script, written)) == written


@given(values, st.lists(st.one_of(st.integers(-1, 3), st.text("abc", max_size=2)), max_size=4), st.text(max_size=8))
def test_what_is_set_is_got(value, path, new):
    text = json.dumps(value, ensure_ascii=False)
    result = call("llJsonSetValue", text, path, new)
    if result != INVALID and APPEND not in path and new not in (DELETE,):
        got = call("llJsonGetValue", result, path)
        script: Any = StandIn()
        wanted = call("llJsonGetValue", json_values._from_text(script, new, True), [])
        assert got == wanted


@given(st.lists(st.one_of(st.integers(-(2**31), 2**31 - 1), st.text("abc", max_size=4)), max_size=6))
def test_plain_lists_come_back(items):
    plain = [item for item in items if item not in ("true", "false", "null")]
    assert call("llJson2List", call("llList2Json", json_values.ARRAY, plain)) == plain


@given(st.text(max_size=30), st.lists(st.one_of(st.integers(), st.text(max_size=3), st.just(Vector(1, 2, 3))), max_size=3))
def test_nothing_is_an_error(text, path):
    call("llJson2List", text), call("llJsonGetValue", text, path), call("llJsonValueType", text, path)
    call("llJsonSetValue", text, path, text), call("llList2Json", text, path), call("llList2Json", json_values.OBJECT, path)
