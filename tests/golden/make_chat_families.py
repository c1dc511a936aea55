"""Renders the templates of chat/families with many conversations as transformers does, for the tests to compare with.

    python tests/golden/make_chat_families.py tests/golden

Needs transformers, tokenizers and jinja2. The templates are written for this project; each takes a conversation apart with
the means of a public family, so that together they use what chat templates use. Of each text, families.json has the start of
its SHA-256; null stands where Jinja2 refuses the conversation. `turns` holds what the assistant wrote, from copies of the
templates in which `{% generation %}` stands around it. expressions.json holds filters, tests, methods and operators, each
rendered with every one of some thirty values, and the hash of the results.
"""

import copy
import datetime
import hashlib
import json
import pathlib
import sys

import tokenizers
from tokenizers import models
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 5, 9, 3, 7)


chat_template_utils.datetime = FixedTime


def user(content, **more):
    return {"role": "user", "content": content, **more}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def calls(*named, id=None, as_text=False):
    made = []
    for at, (name, arguments) in enumerate(named):
        arguments = json.dumps(arguments) if as_text else arguments
        call = {"type": "function", "function": {"name": name, "arguments": arguments}}
        made.append({"id": (id or "call00000")[:8] + str(at), **call})
    return made


def result(content, **more):
    return {"role": "tool", "content": content, **more}


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where, \"quoted\" & <b>"},
                "days": {"type": "integer", "default": 3},
                "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
                "share": {"type": ["number", "null"], "description": None},
            },
            "required": ["place"],
        },
        "return": {"type": "string"},
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Looks into lists.",
        "parameters": {
            "type": "object",
            "properties": {
                "items": {"type": "array", "items": {"type": "string"}},
                "values": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "boolean"}}}},
                "get": {"type": "object", "additionalProperties": {"type": "number"}},
                "any": {"oneOf": [{"type": "string"}, {"type": "integer", "description": "a number"}]},
            },
            "required": ["items", "get"],
        },
    },
}
EMPTY = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}
ODD = {"place": "Köln <&'>\"\n", "days": 3, "share": 1.0, "big": 1e16, "small": 1e-05, "deep": {"a": [], "b": {}, "c": [None, True, "x"]}}

CONVERSATIONS = {
    "one": {"messages": [user("Hello"), assistant("Hi there.")]},
    "open": {"messages": [user("Hello?")]},
    "several": {"messages": [user("  One? "), assistant("Two, <b>three</b>\n"), user("And\r\nnow?"), assistant("naïve 漢字 🙂")]},
    "system": {"messages": [system("Be brief.\n"), user("Why?"), assistant("So."), user("Truly?"), assistant("Yes.")]},
    "system-late": {"messages": [user("a"), assistant("b"), system("c"), user("d"), assistant("e")]},
    "system-alone": {"messages": [system("Nothing else.")]},
    "twice": {"messages": [user("a"), user("b"), assistant("c"), assistant("d")]},
    "empty": {"messages": [system(""), user(""), assistant("")]},
    "thought": {"messages": [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c"), assistant("<think>\nso\n</think>\n\nd")]},
    "thought-no-end": {"messages": [user("a"), assistant("<think>\nhm"), user("/no_think c"), assistant("d")]},
    "reasoning": {"messages": [user("a"), assistant("b", reasoning_content="hm\n"), user("c"), assistant("d", reasoning_content="so")]},
    "thinking": {"messages": [user("a"), assistant("b", thinking="hm"), user("c"), assistant("d", reasoning="so")]},
    "no-thinking": {"messages": [system("/no_think"), user("a"), assistant("b")], "arguments": {"enable_thinking": False, "thinking": True}},
    "parts": {"messages": [system([{"type": "text", "text": "Be."}]), user([{"type": "text", "text": " a "}, {"type": "image"}]), assistant([{"type": "text", "text": "b"}])]},
    "null-content": {"messages": [user("a"), assistant(None)]},
    "null-entries": {"messages": [user("a", name=None, tool_calls=None), assistant("b", tool_calls=None, reasoning_content=None)]},
    "no-content": {"messages": [user("a"), {"role": "assistant"}]},
    "names": {"messages": [user("a", name="Ann"), assistant("b", name="Bot", weight=0)]},
    "tools": {
        "messages": [user("Weather?"), assistant(None, tool_calls=calls(("weather", ODD))), result("sun", tool_call_id="call00000", name="weather"), assistant("Sunny.")],
        "tools": [WEATHER],
    },
    "tools-many": {
        "messages": [
            system("Call."),
            user("Both?"),
            assistant("I look.", tool_calls=calls(("weather", {"place": "here"}), ("search", {"items": ["a"], "get": {}}))),
            result("sun", tool_call_id="call00000"),
            result("[1, 2]", tool_call_id="call00001"),
            assistant("Sunny."),
            user("Again?"),
            assistant("", tool_calls=calls(("now", {}))),
            result("12:00", tool_call_id="call00000"),
            assistant("Noon."),
        ],
        "tools": [WEATHER, SEARCH, EMPTY],
    },
    "tools-thought": {
        "messages": [
            user("a"),
            assistant("<think>\nfirst\n</think>\n\nb"),
            user("Weather?"),
            assistant("", reasoning_content="look", tool_calls=calls(("weather", {"place": "x"}))),
            result("sun", tool_call_id="call00000"),
            assistant(None, tool_calls=calls(("weather", {"place": "y"}))),
            result("rain", tool_call_id="call00000"),
            assistant("Sun, then rain.", reasoning_content="done"),
        ],
        "tools": [WEATHER],
    },
    "tools-text": {
        "messages": [user("Weather?"), assistant(None, tool_calls=calls(("weather", {"place": "x"}), as_text=True)), result("sun", tool_call_id="call00000"), assistant("Sunny.")],
        "tools": [EMPTY],
    },
    "tools-bare": {"messages": [user("a"), assistant("b", tool_calls=[{"name": "now", "arguments": {}, "id": "123456789"}]), result({"at": 12, "list": [None]}), assistant("c")]},
    "tools-unused": {"messages": [system("s"), user("a"), assistant("b"), user("c")], "tools": [SEARCH, EMPTY], "arguments": {"date_string": "1 Jan 2030"}},
    "tools-none": {"messages": [user("a"), assistant("b", tool_calls=[]), user("c")], "tools": [], "arguments": {"tools_in_user_message": False, "builtin_tools": ["a", "code_interpreter", "b"]}},
    "documents": {
        "messages": [user("a"), assistant("b")],
        "documents": [{"title": "One", "text": "first", "n": 1.5}, {"title": "Two", "text": "second", "n": None}],
        "arguments": {"controls": {"citations": True, "length": "short"}, "reasoning_effort": "high"},
    },
    "message-tools": {"messages": [{"role": "system", "content": "s", "tools": "[{\"name\": \"f\"}]"}, user("a"), assistant("b")]},
    "strings": {"messages": [user("{{ bos_token }} {% raw %} </think> [INST] <|im_end|>"), assistant("'it\\'s' \"so\" \\n \u2028 \x7f \xa0")]},
}

# What stands around the assistant's part in a copy of a template.
MARKED = {
    "qwen3": [
        ("""{%- elif message.role == "assistant" %}\n""", """{%- elif message.role == "assistant" %}{{- '<|im_start|>' + message.role + '\\n' }}{% generation %}\n"""),
        ("""'<|im_start|>' + message.role + '\\n<think>\\n'""", "'<think>\\n'"),
        ("""{{- '<|im_start|>' + message.role + '\\n' + content }}""", "{{- content }}"),
        ("""        {{- '<|im_end|>\\n' }}\n    {%- elif message.role == "tool" %}""", """        {{- '<|im_end|>\\n' }}{% endgeneration %}\n    {%- elif message.role == "tool" %}"""),
    ],
    "llama31": [
        ("""{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}""",
         """{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}{% if message.role == 'assistant' %}{% generation %}{{- message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}{% else %}{{- message['content'] | trim + '<|eot_id|>' }}{% endif %}"""),
        ("""{{- '{"name": "' + tool_call.name + '", ' }}""", """{% generation %}{{- '{"name": "' + tool_call.name + '", ' }}"""),
        ("""            {{- "}" }}\n        {%- endif %}\n        {{- "<|eot_id|>" }}""", """            {{- "}" }}{{- "<|eot_id|>" }}{% endgeneration %}\n        {%- endif %}"""),
    ],
}

VALUES = {
    "none": None, "true": True, "false": False, "zero": 0, "one": 1, "negative": -7, "large": 12345678901234,
    "whole": 1.0, "half": 2.5, "huge": 1e16, "tiny": 1e-05, "tenth": 0.1,
    "empty": "", "text": "Hello wOrld", "spaces": "  a b  c\t\n", "lines": "x\n\ny\r\nz\n", "wide": "naïve 漢字 🙂\u200b\xa0",
    "quotes": "it's \"so\" \\ <b>&", "digits": "42", "decimal": "3.7",
    "no_items": [], "words": ["b", "a", "c"], "numbers": [3, 1, 2], "mixed": [1, "it's", None, True, 1.5, {"a": None}],
    "objects": [{"role": "user", "n": 1}, {"role": "bot", "n": 2}, {"role": "user"}],
    "no_entries": {}, "entries": {"b": 1, "a": [1, None], "c": {"x": True}}, "named": {"items": 1, "keys": 2, "get": 3, "values": {"type": "x"}},
}
FILTERS = """trim|upper|lower|capitalize|title|length|count|list|string|join|join(', ')|tojson|tojson(indent=2)|tojson(indent=None)
tojson(indent=4, ensure_ascii=False)|tojson(sort_keys=true)|tojson(separators=(',', ':'))|tojson(ensure_ascii=true)|first|default('D')|default('D', true)
d('D', boolean=true)|int|int(5)|int(default=7)|float|float(default=1.5)|round|round(1)|round(2, 'floor')|round(method='ceil')|reverse~list
sort~list|items~list|indent|indent(2)|indent(2, true)|indent(width=3, first=true, blank=true)|indent('> ')|replace('a','X')|replace('l', '', 1)
wordcount|escape|safe|map('string')~list|map('upper')~join(',')|map('trim')~list|map(attribute='role')~list|map(attribute='n', default=0)~list
selectattr('n')~list|selectattr('role','equalto','user')~list|rejectattr('n','defined')~list|selectattr('n','defined')~list~length|select('string')~list
reject('none')~list|batch(2)~list|trim('H')|center(20)|list~length|list~first|list~tojson"""
TESTS = "defined|undefined|none|true|false|boolean|integer|float|number|string|mapping|sequence|iterable|lower|upper|eq(1)|equalto('user')|ne(1)|in([1, 'b'])|sameas(none)"
METHODS = r"""upper()|lower()|title()|capitalize()|strip()|lstrip()|rstrip()|strip('ao ')|strip('\n')|split()|split(' ')|split(' ', 1)|split(None, 1)
split('l', maxsplit=1)|rsplit(' ', 1)|rsplit(None, 1)|rsplit('l')|splitlines()|splitlines(true)|startswith('He')|startswith(('x','He'))|endswith('\n')
find('o')|rfind('o')|find('字')|index('o')|count('o')|count('')|replace('o','0')|replace('o','0',1)|partition(' ')|rpartition(' ')|partition('zz')
removeprefix('He')|removesuffix('ld')|isdigit()|isalpha()|isalnum()|isspace()|isupper()|islower()|isnumeric()|isdecimal()|isascii()|zfill(5)|ljust(15)
rjust(15, '*')|center(16, '*')|center(15, '*')|swapcase()|casefold()|join(['a','b'])|get('a')|get('zz')|get('zz', 'D')|get('items')|items()~list|keys()~list
values()~list|copy()|index('a')|append(1)|update({})|pop()|role"""
OPERATORS = r"""{{ V }};{{ V ~ 'x' }};{{ 'x' ~ V ~ 1.0 ~ none ~ true }};{{ [V] }};{{ {'k': V} }};{{ V + 'x' }};{{ 1 + V }};{{ V * 2 }};{{ V / 2 }};{{ V // 2 }};{{ V == none }}
{{ V == 1 }};{{ V == '' }};{{ V == [] }};{{ V != undefined_one }};{{ 'a' in V }};{{ V in ['a', 1, none] }};{{ V[0] }};{{ V[-1] }};{{ V[1:] }};{{ V[:-1] }};{{ V[::-1] }};{{ V[::2] }}
{{ V[1:][0] }};{{ V[:2]|length }};{{ V['role'] }};{{ V.role.x }};{{ V['a'] is defined }};{{ 'T' if V else 'F' }};{{ not V }};{{ V and 'x' }};{{ V or 'x' }}
{% for x in V %}<{{ x }}>{% else %}empty{% endfor %};{% for x in V %}{{ loop.index }}{{ loop.last }}{{ loop.length }}{% endfor %}
{% for k, v in V.items() %}{{ k }}={{ v }},{% endfor %};{% for k, v in V|dictsort %}{{ k }}={{ v }},{% endfor %};{% for x in V[1:] %}{{ loop.index }}{{ x }}{{ loop.last }}{% endfor %}
{% if V[1:] %}T{% else %}F{% endif %};{% set x = V %}{{ x }};{% set x %}{{ V }}{% endset %}[{{ x }}];{% set ns = namespace(v=V) %}{{ ns.v }}
{% macro m(a, b=V) %}{{ a }}|{{ b }}{% endmacro %}{{ m(V) }}{{ m(1, 2) }};{{ (V, 1) }};{{ [V]|tojson }};{{ {'a': V}|tojson(indent=1) }};{% filter upper %}{{ V }}{% endfilter %}
{% if V is defined and V is not none %}Y{% endif %};{{ V is string and V|trim }};{{ V() }};{{ V if V }};{% with a = V %}{{ a ~ '' }}{% endwith %};{{ dict(a=V) }};{{ raise_exception(V) }}"""


def tokenizer():
    inner = tokenizers.Tokenizer(models.WordLevel({"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=inner, **SPECIAL)


def render(model, source, chat, add_generation_prompt):
    try:
        return model.apply_chat_template(
            copy.deepcopy(chat["messages"]),
            chat_template=source,
            tools=chat.get("tools"),
            documents=chat.get("documents"),
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            **chat.get("arguments", {}),
        )
    except Exception:
        return None


def turns(source, marks, chat, text):
    """What the assistant wrote, from a copy of the template that marks it."""
    for old, new in marks:
        assert old in source, old
        source = source.replace(old, new)
    messages = [{key: value for key, value in message.items() if value is not None} for message in chat["messages"]]
    texts, spans = chat_template_utils.render_jinja_template(
        conversations=[messages],
        chat_template=source,
        tools=chat.get("tools"),
        documents=chat.get("documents"),
        return_assistant_tokens_mask=True,
        **{**SPECIAL, **chat.get("arguments", {})},
    )
    assert texts[0] == text, (texts[0], text)
    return [text[start:end] for start, end in spans[0] if end > start]


def short(text):
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]


def families(folder):
    model = tokenizer()
    expected, spans = {}, {}
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_bytes().decode()
        texts = {name: [render(model, source, chat, prompt) for prompt in (False, True)] for name, chat in CONVERSATIONS.items()}
        expected[path.stem] = {name: [short(text) for text in pair] for name, pair in texts.items()}
        if path.stem in MARKED:
            marked = {}
            for name, (text, _) in texts.items():
                answers = [message for message in CONVERSATIONS[name]["messages"] if message["role"] == "assistant"]
                # Where thinking is off, an empty thought belongs to the prompt that asks for the answer.
                thinks = CONVERSATIONS[name].get("arguments", {}).get("enable_thinking", True)
                if text is not None and answers and thinks and all(message.get("weight") != 0 for message in answers):
                    marked[name] = turns(source, MARKED[path.stem], CONVERSATIONS[name], text)
            spans[path.stem] = marked
    return {"special_tokens": SPECIAL, "conversations": CONVERSATIONS, "expected": expected, "turns": spans}


def sources():
    for name in FILTERS.replace("\n", "|").split("|"):
        yield "{{ V | " + name.replace("~", " | ") + " }}"
    yield from ("{{ V is " + name + " }}" for name in TESTS.split("|"))
    yield from ("{{ V." + name.replace("~", " | ") + " }}" for name in METHODS.replace("\n", "|").split("|"))
    yield from OPERATORS.replace("\n", ";").split(";")


VALUES_BY_NAME = {f"v_{name}": value for name, value in VALUES.items()}


def rendered_expressions():
    """For each expression a line of results, four characters for each value: the start of a hash, or dashes where Jinja2 refuses."""
    results = {}
    for source in sources():
        outcomes = ""
        for name in [*VALUES_BY_NAME, "undefined_one"]:
            try:
                template = chat_template_utils._compile_jinja_template(source.replace("V", name))
                text = template.render(copy.deepcopy(VALUES_BY_NAME))
                outcomes += hashlib.sha256(text.encode()).hexdigest()[:4]
            except Exception:
                outcomes += "----"
        results[source] = outcomes
    return {"values": VALUES_BY_NAME, "expected": results}


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def main(folder):
    write(folder / "chat" / "families.json", families(folder / "chat" / "families"))
    write(folder / "chat" / "expressions.json", rendered_expressions())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
