"""Templates: what they can say, what they are refused, and that they end."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.model.errors import InvalidError
from skep.plugins.templates import STEPS_MAX, TEXT_MAX, render

VALUES: Mapping[str, object] = {
    "NAME": "it's",
    "IDS": ["a", "b"],
    "SPEC": {"Size": 2, "items": "shadowed", "Deep": {"On": True}},
    "EMPTY": "",
    "BIG": "x" * 1000,
    "HUGE": "x" * TEXT_MAX,
    "TOKEN": "SWMTKN-1-secret-words",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain\n\n", "plain\n\n"),
        ("echo {{ NAME }}\n", "echo it's\n"),
        ("echo {{ NAME|quote }}", "echo 'it'\"'\"'s'"),
        ("{% for id in IDS %}{{ loop.index }}={{ id }}{% if not loop.last %},{% endif %}{% endfor %}", "1=a,2=b"),
        ("{{ SPEC|tojson }}", '{"Size": 2, "items": "shadowed", "Deep": {"On": true}}'),
        ("{{ SPEC['items'] }} {{ SPEC.Size * 2 + 1 }} {{ SPEC.get('Nope', 'none') }}", "shadowed 5 none"),
        ("{% if SPEC.Deep.On and not EMPTY %}yes{% endif %}", "yes"),
        ("{{ IDS|join(',') }} {{ IDS|length }} {{ 'a' in IDS }}", "a,b 2 True"),
        ("{% set x = NAME ~ 1 %}{{ x|upper }} {{ x.replace is defined }}", "IT'S1 False"),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m('x') }}{{ m('y') }}", "<x><y>"),
        ("{{ NOPE|default('d') }}{{ NOPE is defined }}", "dFalse"),
        ("{{ 'a-b-c'|replace('-', '+') }} {{ range(3)|list }}", "a+b+c [0, 1, 2]"),
        ("{% raw %}{{ untouched }}{% endraw %} ${HOME}", "{{ untouched }} ${HOME}"),
    ],
)
def test_what_a_template_can_say(text: str, expected: str) -> None:
    assert render(text, "t", VALUES) == expected


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("one\ntwo {{ NOPE }}", 2, "'NOPE' is undefined"),
        ("{{ SPEC.Nope }}", 1, "has no attribute 'Nope'"),
        ("{% if NOPE %}{% endif %}", 1, "'NOPE' is undefined"),
        ("one\n\n{% for x in %}", 3, "Expected an expression"),
        ("one\n{% if x %}\nnever ends", 2, "Unexpected end of template"),
        ("{{ NAME|nope }}", 1, "No filter named 'nope'"),
        ("one\n{{ NAME + 1 }}", 2, "can only concatenate str"),
        ("{{ 1 // 0 }}", 1, "modulo by zero"),
    ],
)
def test_an_error_names_file_and_line(text: str, line: int, says: str) -> None:
    with pytest.raises(InvalidError) as caught:
        render(text, "https://example.com/init.sh", VALUES)
    [fault] = caught.value.faults
    assert (fault.file, fault.line) == ("https://example.com/init.sh", line)
    assert says in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "{{ NAME.__class__ }}",
        "{{ NAME.__class__.__mro__ }}",
        "{{ render.__globals__ }}",
        "{{ ''|attr('__class__') }}",
        "{{ SPEC.clear() }}",
        "{{ IDS.append('x') }}",
        "{{ NAME.format(x=1) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'base' %}",
        "{{ lipsum() }}",
        "{{ range.__self__ }}",
        "{{ self.__init__ }}",
    ],
)
def test_the_sandbox_holds(text: str) -> None:
    with pytest.raises(InvalidError):
        render(text, "t", VALUES)
    assert VALUES["IDS"] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", f"{STEPS_MAX} steps"),
        ("{% for a in BIG %}{% for b in BIG %}{% endfor %}{% endfor %}", f"{STEPS_MAX} steps"),
        ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "calls itself without end"),
        ("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
        ("{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}", "steps"),
        ("{{ range(10 ** 9) }}", "a range has at most"),
        ("{{ 2 ** 999999999 }}", "makes more than"),
        ("{{ 'x' * 999999999 }}", "makes more than"),
        ("{{ 999999999 * [1] }}", "makes more than"),
        ("{{ '%999999999d' % 1 }}", "% does not format"),
        ("{{ HUGE + HUGE }}", "makes more than"),
        ("{{ HUGE ~ HUGE }}", "a text has at most"),
        ("{{ HUGE }}{{ NAME }}", "characters"),
        ("{% set x %}{{ HUGE }}{{ HUGE }}{% endset %}", "characters"),
        ("{{ HUGE|replace('x', BIG) }}", "a text has at most"),
        ("{{ range(9999)|map('string')|join(BIG) }}", "a text has at most"),
        ("{{ 'x'.center(99999999) }}", "unsafe"),
        ("{{ HUGE.join(IDS) }}", "unsafe"),
        ("{{ [BIG] * 999999 }}", "makes more than"),
        ("{% set l = [HUGE, HUGE] %}{{ l }}", "a value has at most"),
        ("{% set l = [HUGE, HUGE] %}{{ l|string|length }}", "a value has at most"),
        ("{% set l = [HUGE, HUGE] %}{{ l|upper|length }}", "a value has at most"),
        ("{% set l = {'a': [HUGE, HUGE]} %}{{ l|tojson|length }}", "a value has at most"),
        ("{% set l = [HUGE, HUGE] %}{% set x = l ~ '' %}", "a value has at most"),
        ("{% set l = [[HUGE, HUGE]] %}{{ l|join|length }}", "a value has at most"),
        (
            "{% set l = (BIG * 1000)|list %}{% for i in range(99999) %}{% if l|sort %}{% endif %}{% endfor %}",
            "more work",
        ),
        ("{% for i in range(99999) %}{% if HUGE.upper() %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(99999) %}{% if NAME in HUGE %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(99999) %}{% if HUGE == BIG %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(99999) %}{% if HUGE is lower %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(99999) %}{% if HUGE[1:] %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(99999) %}{% if HUGE + '' %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(9999) %}{% if range(99999)|list %}{% endif %}{% endfor %}", "more work"),
        ("{% for i in range(9999) %}{% if range(9999)|map('string')|list %}{% endif %}{% endfor %}", "steps"),
        ("{{ ('f' * 99999)|int(0, 16) // 7 }}", "bits"),
        ("{{ 1.5|round(999999999, 'ceil') }}", "No filter named 'round'"),
        ("{{ [[1]]|sum(start=[]) }}", "No filter named 'sum'"),
        ("{{ 'x'|center(99999999) }}", "No filter named 'center'"),
    ],
)
def test_a_template_ends_and_makes_no_more_than_it_may(text: str, says: str) -> None:
    with pytest.raises(InvalidError, match=says):
        render(text, "t", VALUES)


def test_no_error_holds_a_join_token() -> None:
    with pytest.raises(InvalidError) as caught:
        render("{{ SPEC[TOKEN] }}", "t", VALUES)
    assert "secret" not in str(caught.value)


@given(st.text(alphabet="{}%# \n'\"abN|.()[]+*~-endfor1", max_size=60))
def test_any_text_is_rendered_or_refused_in_words(text: str) -> None:
    try:
        render(text, "t", VALUES)
    except InvalidError as error:
        assert all(fault.file == "t" and fault.message for fault in error.faults)
