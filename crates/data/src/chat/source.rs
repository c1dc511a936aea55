//! Rewrites a chat template for the template library where Jinja2's semantics differ.
//!
//! - Line ends are `\n`, whatever the file has.
//! - `{% generation %}` blocks, which the library does not know, become `{% filter … %}` blocks of the same form.
//! - `a ~ b` becomes `[a, b]|…`: the operator formats values in the library's notation, the filter in Python's.
//! - `a[b:c]` becomes a filter too, with Python's slicing.
//! - `(a, b)` remains a tuple rather than a list.
//! - The iterable of a loop gets a filter, which rejects `None` as Python does.
//! - Texts with escapes that only Python knows are written without them, and adjacent texts are joined.

mod tag;

use super::generation::FILTER;

/// Rewrites a template; also returns whether it marks the assistant's text.
pub fn rewritten(source: &str) -> (String, bool) {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let (mut out, mut rest, mut marks) = (String::with_capacity(source.len()), source.as_str(), false);
    while let Some(start) = next_tag(rest) {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let after = match &tag[..2] {
            "{#" => copy_to(tag, "#}", &mut out),
            opening => match tag::Tag::read(tag, if opening == "{%" { "%}" } else { "}}" }) {
                None => {
                    out.push_str(tag);
                    ""
                }
                Some((tag, after)) => match tag.keyword() {
                    Some("raw") => {
                        out.push_str(tag.whole);
                        copy_raw(after, &mut out)
                    }
                    Some("generation") => {
                        marks = true;
                        out.push_str(&tag.whole.replacen("generation", &format!("filter {FILTER}"), 1));
                        after
                    }
                    Some("endgeneration") => {
                        out.push_str(&tag.whole.replacen("endgeneration", "endfilter", 1));
                        after
                    }
                    _ => {
                        out.push_str(&tag.rewritten());
                        after
                    }
                },
            },
        };
        rest = after;
    }
    out.push_str(rest);
    (out, marks)
}

/// The start of the next tag or comment.
fn next_tag(text: &str) -> Option<usize> {
    text.match_indices('{')
        .map(|(at, _)| at)
        .find(|&at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

/// Copies up to an end, or everything; returns the rest.
fn copy_to<'a>(text: &'a str, end: &str, out: &mut String) -> &'a str {
    let (copied, rest) = text.split_at(text.find(end).map_or(text.len(), |at| at + end.len()));
    out.push_str(copied);
    rest
}

/// Copies raw text, up to the tag that ends it.
fn copy_raw<'a>(text: &'a str, out: &mut String) -> &'a str {
    let ends = text.match_indices("{%").map(|(at, _)| at).find(|&at| {
        let word = text[at + 2..].trim_start_matches(['-', '+']).trim_start();
        word.strip_prefix("endraw")
            .is_some_and(|rest| rest.trim_start_matches(['-', '+']).trim_start().starts_with("%}"))
            || word
                .strip_prefix("endraw")
                .is_some_and(|rest| rest.trim_start().trim_start_matches(['-', '+']).starts_with("%}"))
    });
    let (raw, rest) = text.split_at(ends.unwrap_or(text.len()));
    out.push_str(raw);
    copy_to(rest, "%}", out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_generation_tags_become_filters() {
        let source = "a {%- generation -%} b {% endgeneration %}{% if generation %}{{ generation }}{%+generation%}";
        let (text, found) = rewritten(source);
        let expected = "a {%- filter spartui_generation -%} b {% endfilter %}{% if generation %}{{ generation }}";
        assert_eq!(text, format!("{expected}{{%+filter spartui_generation%}}"));
        assert!(found);
        for none in [
            "{% if add_generation_prompt %}x{% endif %}{%",
            "{# {% generation %} #}",
            "{% raw %}{% generation %}{% endraw %}",
            "{{ '{% generation %}' }}",
        ] {
            assert_eq!(rewritten(none), (none.to_owned(), false));
        }
    }

    #[test]
    fn joins_and_loops_get_their_filters() {
        let joined = [
            ("{{ a ~ b }}", "{{ [a , b]|spartui_joined }}"),
            ("{{- 'x' ~ -a|f(c ~ d) ~ e + g}}", "{{- ['x' , -a|f([c , d]|spartui_joined) , e]|spartui_joined + g}}"),
            ("{% if not a ~ b == c %}", "{% if not [a , b]|spartui_joined == c %}"),
            ("{%set x=a is not none ~ b%}", "{%set x=[a is not none , b]|spartui_joined%}"),
            ("{{ a - b ~ c if d ~ e else f }}", "{{ a - [b , c]|spartui_joined if [d , e]|spartui_joined else f }}"),
            ("{{ '~' }}", "{{ '~' }}"),
            (
                "{{ a.b[1:][0] ~ c[:-1] }}",
                "{{ [((a.b)|spartui_sliced(1,none,none))[0] , ((c)|spartui_sliced(none,-1,none))]|spartui_joined }}",
            ),
            (
                "{% if a.b(c)[0]['x'][::d ~ 1] in [e] %}",
                "{% if ((a.b(c)[0]['x'])|spartui_sliced(none,none,[d , 1]|spartui_joined)) in [e] %}",
            ),
            ("{% elif (a)[b:] %}", "{% elif (((a))|spartui_sliced(b,none,none)) %}"),
            (
                "{% for (a, b) in ((1, 2),) %}",
                "{% for (a, b) in (([([1, 2]|spartui_tuple),]|spartui_tuple))|spartui_looped %}",
            ),
            ("{{ f(1, (2, 3)) }}", "{{ f(1, ([2, 3]|spartui_tuple)) }}"),
            ("{{ {a: [1, 2]} }}", "{{ {a: [1, 2]} }}"),
            ("{% for m in a %}", "{% for m in (a)|spartui_looped %}"),
            (
                "{%- for a, b in c.items() if a ~ b -%}",
                "{%- for a, b in (c.items())|spartui_looped if [a , b]|spartui_joined -%}",
            ),
            ("{% for x in 1, 2 recursive %}", "{% for x in [1, 2]|spartui_looped recursive %}"),
        ];
        for (source, expected) in joined {
            assert_eq!(rewritten(source).0, expected);
        }
    }

    #[test]
    fn texts_are_what_python_reads() {
        let texts = [
            (r"{{ 'a\n' }}", "{{ \"a\\n\" }}"),
            (r"{{ '\d\/\U0001f642' }}", "{{ \"\\\\d\\\\/🙂\" }}"),
            ("{{ 'a' \"b\" }}", "{{ \"ab\"  }}"),
            (r"{{ '\x4' }}", r"{{ '\x4' }}"),
            ("a\r\nb\rc{{ 'd\r\ne' }}", "a\nb\nc{{ \"d\\ne\" }}"),
        ];
        for (source, expected) in texts {
            assert_eq!(rewritten(source).0, expected);
        }
    }

    #[test]
    fn unterminated_tags_are_unchanged() {
        let deep = format!("{{{{ {}a ~ b{} }}}}", "(".repeat(1000), ")".repeat(1000));
        for source in ["{{ a ~ b", "{{ 'a ~ b }}", "{% raw %}{{ a ~ b }}", "{# a", "{{ (a ~ b }}", "{{ a ~ }}", &deep] {
            assert_eq!(rewritten(source).0, source);
        }
    }
}
