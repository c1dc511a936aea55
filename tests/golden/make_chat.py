"""Renders chat templates as transformers does, for the tests to compare with.

    python tests/golden/make_chat.py tests/golden

Needs transformers, tokenizers and jinja2. The templates are written for this project, in the shapes that public families
use; `turn` is what the assistant's part of the text shall be, written down here and found by no algorithm.
"""

import datetime
import json
import pathlib
import sys

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 5, 9, 3, 7)


chat_template_utils.datetime = FixedTime

TEMPLATES = {
    "headers": {
        "source": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Tools: " }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
    {%- endfor %}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("One call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {{- '{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson }}
        {{- "}<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable and message.content is not string %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
        "turn": lambda content, last: content.strip() + "<|eot_id|>",
    },
    "chatml": {
        "source": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{% for message in messages %}
    {% if loop.first and messages[0]['role'] != 'system' %}
        {{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {% endif %}
{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{% endif %}""",
        "turn": lambda content, last: content + "<|im_end|>\n",
    },
    "chatml-line": {
        "source": """{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
        "turn": lambda content, last: content + "<|im_end|>\n",
    },
    "inst": {
        "source": """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('The roles must take turns: user, assistant, user, ...') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.first and system_message is defined %}
            {{- " [INST] " + system_message + "\\n\\n" + message["content"] + " [/INST]" }}
        {%- else %}
            {{- " [INST] " + message["content"] + " [/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are known, with an optional system message first") }}
    {%- endif %}
{%- endfor %}
""",
        "turn": lambda content, last: " " + content + "</s>",
    },
    "start-of-turn": {
        "source": """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('There is no system role') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}""",
        "turn": lambda content, last: content.strip() + "<end_of_turn>\n",
    },
    "phi": {
        "source": """{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\\n' + message['content'] + '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' + message['content'] + '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}""",
        "turn": lambda content, last: content + "<|end|>\n" + ("</s>" if last else ""),
    },
    "zephyr": {
        "source": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
        "turn": lambda content, last: content + "</s>\n",
    },
    "sys-folded": {
        "source": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
        "turn": lambda content, last: " " + content.strip() + " </s>",
    },
    "macros": {
        "source": """{#- A comment, with {% generation %} in it. -#}
{%- macro header(role, sep=': ') -%}
    {{ role|capitalize ~ sep }}
{%- endmacro -%}
{%- set ns = namespace(turns=0, system=none, found=false) -%}
{%- for message in messages -%}
    {%- if message.role == 'system' -%}
        {%- set ns.system = message.content -%}
        {%- set ns.found = true -%}
        {%- continue -%}
    {%- endif -%}
    {%- if message.role not in ['user', 'assistant'] %}{% break %}{% endif -%}
    {%- set ns.turns = ns.turns + 1 -%}
    {%- if loop.first or (ns.found and ns.turns == 1) -%}{{ bos_token }}{{ '{' ~ (ns.system or 'no system') ~ '}' }}{%- endif %}
{{ header(message.role) }}{{ message.content.replace('\\n', ' / ').rstrip() if message.content is string else message.content }}
    {%- if message.role == 'assistant' -%}{{ eos_token }}{%- endif -%}
{%- endfor %}
{% if add_generation_prompt %}{{ '\\n' ~ header('assistant') }}{%- endif -%}
""",
        "turn": None,
    },
    "generation": {
        "source": """{{ bos_token }}{%- for message in messages -%}
    {%- if message['role'] == 'assistant' %}
        {{- '<|assistant|>\\n' -}}
        {%- generation -%}
        {{- message['content'] + eos_token -}}
        {%- endgeneration -%}
        {{- '\\n' }}
    {%- else %}
        {{- '<|' + message['role'] + '|>\\n' + message['content'] + '\\n' }}
    {%- endif %}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}""",
        "turn": lambda content, last: content + "</s>",
        "marked": True,
    },
    "generation-open": {
        "source": """{% for message in messages %}
{% if message.role == 'assistant' %}
assistant:
  {% generation %}
  {{ message.content }}
{% if loop.last %}
(end)
{% endif %}
  {% endgeneration %}
{% else %}
{{ message.role }}: {{ message.content }}
{% endif %}
{% endfor %}
""",
        "turn": None,
        "marked": True,
    },
    "tools": {
        "source": """{%- if tools %}
    {{- 'TOOLS ' ~ (tools | tojson) ~ '\\n' }}
{%- elif tools is not none %}
    {{- 'tools is not none\\n' }}
{%- endif %}
{%- if documents is defined and documents %}{{ 'DOCUMENTS' }}{%- endif %}
{%- if tools is defined %}{{ 'tools defined\\n' }}{%- endif %}
{%- for message in messages[::-1] %}
    {{- loop.revindex0 ~ ' ' ~ message.role ~ ': ' }}
    {%- if message.tool_calls is defined and message.tool_calls is iterable and message.tool_calls is not string %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '<call>' ~ tool_call.name ~ ' ' ~ (tool_call.arguments | tojson(indent=2)) ~ '</call>' }}
            {%- for key, value in tool_call.arguments.items() %}
                {{- ' ' ~ key ~ '=' ~ (value | tojson) }}
            {%- endfor %}
            {{- tool_call.arguments | tojson(sort_keys=true, separators=(',', ':')) }}
            {{- tool_call.arguments | tojson(ensure_ascii=true) }}
        {%- endfor %}
    {%- endif %}
    {%- if message.content is string %}
        {%- set content = message.content %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {{- '(' + reasoning + ') ' }}
        {%- endif %}
        {{- content }}
    {%- else %}
        {{- message.content }}{{ message.get('name', 'nameless') }}
    {%- endif %}
    {{- '\\n' if not loop.last else '' }}
{%- endfor %}
{{- [1, 'it\\'s', none, true, {'a': 1.5}] }} {{ messages | selectattr('role', 'equalto', 'user') | list | length }}
{%- if add_generation_prompt %}{{ '\\n<|assistant|>' }}{% endif %}
""",
        "turn": None,
    },
    "thinking": {
        "source": """{%- set ns = namespace(last_query=messages|length - 1, searching=true) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and not (message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last_query = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set reasoning = '' %}
        {%- if '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query and (loop.last or reasoning) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
        "turn": lambda content, last: ("<think>\n\n</think>\n\n" if last else "") + content + "<|im_end|>\n",
    },
    "dates": {
        "source": """{{ strftime_now("%d %b %Y") }}|{{ strftime_now("%Y-%m-%d %H:%M:%S") }}|{{ strftime_now("%B %-d, %Y") }}|{{ strftime_now("%A %a %j %y %I %p %m %%") }}{% for m in messages %}
{{ m.content }}{% endfor %}""",
        "turn": None,
    },
}

CONVERSATIONS = {
    "single": [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "General greetings."}],
    "several": [
        {"role": "user", "content": "One?"},
        {"role": "assistant", "content": "Two, then <b>three</b> & 'four'."},
        {"role": "user", "content": "  And now?\n"},
        {"role": "assistant", "content": "naïve 漢字 🙂"},
    ],
    "system": [
        {"role": "system", "content": "Be brief.\nBe kind."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
        {"role": "user", "content": "Truly?"},
        {"role": "assistant", "content": "Yes."},
    ],
    "open": [{"role": "user", "content": "What comes next?"}],
    "twice": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}],
    "thought": [
        {"role": "user", "content": "Think."},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nDone {{ not a template }} {% raw %}"},
    ],
    "tools": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "arguments": {"place": "Köln <&'>", "days": 3, "share": 1.0, "deep": {"a": [], "b": {}, "c": [None, True]}},
                    },
                }
            ],
        },
        {"role": "tool", "name": "weather", "content": {"sun": True}},
        {"role": "assistant", "content": "Sunny."},
    ],
}


def without_nulls(messages):
    """As `apply_chat_template` gives them to the template."""
    return [{key: value for key, value in message.items() if value is not None} for message in messages]


def render(source, messages, add_generation_prompt):
    try:
        texts, _ = chat_template_utils.render_jinja_template(
            conversations=[without_nulls(messages)], chat_template=source, add_generation_prompt=add_generation_prompt, **SPECIAL
        )
        return texts[0]
    except Exception as error:
        print(f"  raised: {type(error).__name__}: {error}")
        return None


def marked(source, messages):
    texts, spans = chat_template_utils.render_jinja_template(
        conversations=[without_nulls(messages)], chat_template=source, return_assistant_tokens_mask=True, **SPECIAL
    )
    return [texts[0][start:end] for start, end in spans[0]]


def turns(template, messages, text):
    """What the assistant wrote, piece by piece, in the order of the text."""
    answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    pieces, rest = [], text
    for at in answers:
        piece = template["turn"](messages[at]["content"], at + 1 == len(messages))
        assert piece in rest, (piece, rest)
        pieces.append(piece)
        rest = rest[rest.index(piece) + len(piece) :]
    return pieces


def cases():
    for name, template in TEMPLATES.items():
        for title, messages in CONVERSATIONS.items():
            print(name, title)
            plain, prompted = (render(template["source"], messages, prompt) for prompt in (False, True))
            case = {"template": name, "conversation": title, "text": plain, "prompted": prompted}
            answered = plain is not None and any(message["role"] == "assistant" for message in messages)
            if answered and template.get("marked"):
                case["turns"] = marked(template["source"], messages)
            if answered and template["turn"] and title not in ("tools", "thought"):
                case["turns"] = turns(template, messages, plain)
            yield case


def tokenizer():
    """Byte-level pieces, trained on the templates and conversations themselves."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<pad>", "<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|assistant|>", "<|user|>"]
    texts = [message["content"] for chat in CONVERSATIONS.values() for message in chat if isinstance(message["content"], str)]
    texts += ["The capital of France is Paris, and the capital of Spain is Madrid."] * 3
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, initial_alphabet=alphabet)
    inner.train_from_iterator(texts, trainer)
    bos = inner.token_to_id("<s>")
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", bos), ("</s>", inner.token_to_id("</s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, **SPECIAL)


def masks(model):
    for name in ("generation", "generation-open"):
        for title in ("single", "several", "system", "thought"):
            encoded = model.apply_chat_template(
                CONVERSATIONS[title],
                chat_template=TEMPLATES[name]["source"],
                return_assistant_tokens_mask=True,
                return_dict=True,
                tokenize=True,
            )
            yield {
                "template": name,
                "conversation": title,
                "ids": list(encoded["input_ids"]),
                "mask": list(encoded["assistant_masks"]),
            }


def texts(model):
    for text in ["The capital of France is", "naïve 漢字 🙂", "<|im_start|>user\nHello", "", "a  b\n"]:
        ids = model(text)["input_ids"]
        yield {"text": text, "ids": ids, "decoded": model.decode(ids, skip_special_tokens=True)}


def pairs(model, first, second):
    whole = model(first, second)
    cut = []
    for length in range(model.num_special_tokens_to_add(pair=True) + 1, len(whole["input_ids"]) + 1):
        encoded = model(first, second, truncation="longest_first", max_length=length, return_token_type_ids=True)
        cut.append({"max_length": length, "ids": encoded["input_ids"], "types": encoded["token_type_ids"]})
    return {"first": first, "second": second, "cut": cut}


def main(folder):
    out = folder / "chat"
    out.mkdir(exist_ok=True)
    golden = {
        "special_tokens": SPECIAL,
        "templates": {name: template["source"] for name, template in TEMPLATES.items()},
        "conversations": CONVERSATIONS,
        "cases": list(cases()),
    }
    (out / "templates.json").write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    model = tokenizer()
    model.backend_tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    bert = PreTrainedTokenizerFast(tokenizer_file=str(folder / "bert-a" / "tokenizer.json"), pad_token="[PAD]")
    bert_texts = [("the cat sat on the mat", "a dog"), ("a dog", "the cat sat on the mat"), ("a b c", "d e f"), ("", "cat")]
    tokens = {
        "masks": list(masks(model)),
        "texts": list(texts(model)),
        "pairs": [pairs(model, "One? Two, then", " three four"), pairs(model, "a", "The capital of Spain")],
        "bert_pairs": [pairs(bert, *pair) for pair in bert_texts],
    }
    (out / "tokens.json").write_text(json.dumps(tokens, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
